// The file of a backup: what stands in it where, and its reading (docs/backup.md).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/audit/verifier_key.h"
#include "vault/base/secret.h"
#include "vault/custody/digest.h"
#include "vault/daemon/backup_seal.h"
#include "vault/seal/openssl_owned.h"

namespace cardvault::provisioning {

// Of a file in a backup.
struct BackupPart {
  std::string name;  // "vault.db", "custody/transcript.1"
  std::uint64_t size = 0;
  custody::Digest digest{};
};

//   cardvault backup v1
//   vault: 0123456789abcdef
//   made: 2026-11-22T12:00:00.000Z
//   recipient: p256:…               made of the custodians' backup key (backup_key.h)
//   split: 1                        whose shares rebuild that
//   file-key: <JWE compact>         32 bytes for the recipient
//   clear: transcript 8123 <SHA-256>        parts in the clear, in this order
//   member: vault.db 1234567 <SHA-256>      parts that are sealed, in this order
//   sealed: 1234800                 bytes of all chunks
//
// Then the clear parts, the members as one text in chunks (backup_stream.h) with the header's
// digest as context, and the vault's signature under it all (daemon::BackupSeal) up to the end.
struct BackupHeader {
  std::string vault;
  std::string made;
  std::string recipient;
  unsigned split = 0;
  std::string file_key;
  std::vector<BackupPart> clear, members;

  [[nodiscard]] std::uint64_t plain_size() const noexcept;  // of the members
};

inline constexpr std::size_t kMaxHeader = 65536;
inline constexpr std::size_t kMaxClearPart = 1 << 20;
inline constexpr std::size_t kMaxNote = 16384;

[[nodiscard]] std::string encode(const BackupHeader& header);
// Throws StartupError with `what` and the line for any other text.
[[nodiscard]] BackupHeader parse_backup_header(const std::string& what, std::string_view text);

// The name of a part that may be written below a folder: letters, digits and ".-_", at most one
// folder before them, neither beginning with a dot (no way out) or a dash (no option of a tool).
[[nodiscard]] bool valid_part_name(std::string_view name) noexcept;

// A verification key, as text or as a file such as audit.vkey. Throws ToolError(kUsage).
[[nodiscard]] audit::VerifierKey read_verifier_key(const std::string& key);

// An existing backup, opened for reading; it isn't trusted before check() has passed. One thread.
class BackupFile {
 public:
  using Show = std::function<void(std::uint64_t done, std::uint64_t total)>;

  // Reads the header and the clear parts. Throws ToolError(kLocal) when it is no whole backup: what
  // is wrong, and where.
  explicit BackupFile(const std::string& path);
  ~BackupFile();
  BackupFile(const BackupFile&) = delete;             // owns a descriptor
  BackupFile& operator=(const BackupFile&) = delete;  // owns a descriptor

  [[nodiscard]] const BackupHeader& header() const noexcept { return header_; }
  [[nodiscard]] const daemon::BackupSeal& seal() const noexcept { return seal_; }
  [[nodiscard]] const std::string& note() const noexcept { return note_; }
  // "" when there is no such clear part.
  [[nodiscard]] std::string clear(std::string_view name) const;

  // Every byte against the seal, which one of these verification keys (files or texts of
  // audit.vkey) must have signed, and the clear parts and databases against what it says. Throws
  // ToolError(kRefused) with what is wrong.
  void check(const std::vector<std::string>& keys, const Show& show) const;

  // The members in their order, piece by piece; `end` after the last piece of each. Throws
  // ToolError(kRefused) for a key that is not the recipient's, or a chunk or member that is not
  // what the header says.
  struct Taker {
    std::function<void(const BackupPart&)> begin;
    std::function<void(std::span<const std::uint8_t>)> piece;
    std::function<void()> end;
  };
  void open(EVP_PKEY* opener, const Taker& take, const Show& show) const;

 private:
  [[noreturn]] void refuse(const std::string& why) const;
  void read_at(std::uint64_t at, std::span<std::uint8_t> out) const;
  [[nodiscard]] std::string text_at(std::uint64_t at, std::uint64_t size) const;
  void read_header();

  std::string path_;
  int fd_;
  std::uint64_t size_ = 0, sealed_at_ = 0, note_at_ = 0;
  std::string head_;  // as it stands in the file
  BackupHeader header_;
  std::vector<std::string> clear_;
  std::string note_;
  daemon::BackupSeal seal_;
};

}  // namespace cardvault::provisioning
