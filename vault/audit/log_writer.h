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
  // wrote is the beginning of that, and may be what readers see already. kStorageFull,
  // kStoreFailed, errors of Sign. After open() only.
  [[nodiscard]] base::Result<void> publish(std::span<const std::string> entries);

  // Puts the checkpoint that open() found into its place once more, durably, where that may not be
  // so yet: see durable_size(). kStorageFull, kStoreFailed. After open() only.
  [[nodiscard]] base::Result<void> make_durable();

  [[nodiscard]] std::uint64_t size() const noexcept { return tree_.size(); }
  // Of the last checkpoint that this object put in its place; 0 before the first since open(): one
  // that it found there may be of a process that was killed before the folder was synced.
  [[nodiscard]] std::uint64_t durable_size() const noexcept { return durable_size_; }
  // The last one published; empty before the first.
  [[nodiscard]] const std::string& checkpoint() const noexcept { return note_; }
  // Of what is published.
  [[nodiscard]] TileReader reader() const;

 private:
  [[nodiscard]] std::optional<std::string> load(const std::string& note);
  [[nodiscard]] std::optional<std::string> prove(const KeptCheckpoint& kept);
  [[nodiscard]] base::Result<void> finish();

  LogFiles& files_;
  const std::vector<VerifierKey> keys_;
  const Sign sign_;
  TileTree tree_;
  std::string note_;
  std::uint64_t durable_size_ = 0;
  // Signed, its files durable, and not known to be in its place: a replacement that failed may have
  // put it there. Before it is, no file is written that it may cover.
  struct Pending {
    TileTree tree;
    std::string note;
  };
  std::optional<Pending> pending_;
};

}  // namespace cardvault::audit
