// What the vault signs of a backup: which databases it took, and which file the tool made of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace cardvault::daemon {

// The text of a signed note (c2sp.org/signed-note) by audit-sign:
//
//   cardvault backup seal v1
//   log: cardvault.local/cardvault
//   time: 2026-11-22T12:00:00.000Z
//   events: 4711                        the number of the snapshot's next event
//   checkpoint: 4700 <root in hex>      of the published log
//   vault.db: <SHA-256 in hex>          of the snapshot, by the daemon itself
//   reveal.db: <SHA-256 in hex>
//   backup: <SHA-256 in hex>            of the file up to this note; empty in a snapshot's record
struct BackupSeal {
  std::string log;
  std::string time;
  std::uint64_t events = 0;
  std::uint64_t checkpoint_size = 0;
  std::string checkpoint_root;
  std::map<std::string, std::string> files;  // "vault.db", "reveal.db": digests
  std::string backup;
};

[[nodiscard]] std::string encode(const BackupSeal& seal);
// nullopt for any other text: what is read and encoded again is the same.
[[nodiscard]] std::optional<BackupSeal> parse_backup_seal(std::string_view text);

}  // namespace cardvault::daemon
