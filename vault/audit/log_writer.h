// Publishes a log: entries, tiles, then the checkpoint that covers them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/audit/checkpoint.h"
#include "vault/audit/log_files.h"
#include "vault/audit/tile_reader.h"
#include "vault/audit/tile_tree.h"

namespace cardvault::audit {

// A checkpoint of this log that was kept elsewhere.
struct KeptCheckpoint {
  std::string where;  // for people
  std::string note;
};

// What a reader may see, at every moment and after every kill or power loss, is a log that
// verifies: nothing that a checkpoint covers is ever written again, and a checkpoint comes last. It
// signs only what continues what it opened. Belongs to one thread.
class LogWriter {
 public:
  // keys: the first one signs; checkpoints by any of them are continued. All have the log's name.
  LogWriter(LogFiles& files, std::vector<VerifierKey> keys, Sign sign);

  // Takes up the log where it was left: checks the signature, that the tiles at its edge have the
  // signed root, and that each kept checkpoint is one of its past. Returns why the log can't be
  // continued, in words for an operator; nullopt: it can. May be called again.
  [[nodiscard]] std::optional<std::string> open(std::span<const KeptCheckpoint> kept);

  // Appends entries, durably. After an error nothing is published as far as this object is
  // concerned, and the same entries have to come again, more of them perhaps: what the failed call
  // wrote is the beginning of that. kStorageFull, kStoreFailed, errors of Sign. After open() only.
  [[nodiscard]] base::Result<void> publish(std::span<const std::string> entries);

  [[nodiscard]] std::uint64_t size() const noexcept { return tree_.size(); }
  // The last one published; empty before the first.
  [[nodiscard]] const std::string& checkpoint() const noexcept { return note_; }
  // Of what is published.
  [[nodiscard]] TileReader reader() const;

 private:
  [[nodiscard]] std::optional<std::string> load(const std::string& note);
  [[nodiscard]] std::optional<std::string> prove(const KeptCheckpoint& kept);

  LogFiles& files_;
  const std::vector<VerifierKey> keys_;
  const Sign sign_;
  TileTree tree_;
  std::string note_;
};

}  // namespace cardvault::audit
