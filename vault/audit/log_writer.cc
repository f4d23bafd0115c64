#include "vault/audit/log_writer.h"

#include <algorithm>

#include "vault/audit/proof.h"
#include "vault/base/check.h"

namespace cardvault::audit {
namespace {

std::string said(const base::Error& error) {
  return std::string(error.operation) + ": " + std::string(base::code_name(error.code)) + " " +
         std::to_string(error.number);
}

// What is wrong with a checkpoint, to follow the words that say which.
std::string fault_of(Trust trust) {
  switch (trust) {
    case Trust::kGood:
      return "is good";
    case Trust::kMalformed:
      return "is no signed checkpoint";
    case Trust::kForged:
      return "has a signature that is not this vault's";
    case Trust::kOtherKey:
      return "is signed by a key that this vault does not have";
    case Trust::kOtherLog:
      return "is of another log";
  }
  return "";
}

}  // namespace

LogWriter::LogWriter(LogFiles& files, std::vector<VerifierKey> keys, Sign sign)
    : files_(files), keys_(std::move(keys)), sign_(std::move(sign)) {
  CARDVAULT_CHECK(!keys_.empty());
}

TileReader LogWriter::reader() const {
  return TileReader([this](const std::string& path) { return files_.read(path); }, size());
}

std::optional<std::string> LogWriter::open(std::span<const KeptCheckpoint> kept) {
  tree_ = {};
  note_.clear();
  durable_size_ = 0;
  pending_.reset();
  const auto note = files_.read(std::string(kCheckpointPath));
  if (!note) return "its checkpoint can't be read (" + said(note.error()) + ")";
  if (*note) {
    if (auto why = load(**note)) return why;
  }
  for (const KeptCheckpoint& one : kept) {
    if (auto why = prove(one)) return why;
  }
  return std::nullopt;
}

std::optional<std::string> LogWriter::load(const std::string& note) {
  const OpenedCheckpoint opened = open_checkpoint(note, keys_);
  if (opened.trust != Trust::kGood) return "its checkpoint " + fault_of(opened.trust);
  const TileReader reader([this](const std::string& path) { return files_.read(path); },
                          opened.checkpoint.size);
  auto tree = TileTree::load(reader);
  if (!tree) return "the files at its end are missing or damaged (" + said(tree.error()) + ")";
  if (tree->root() != opened.checkpoint.root) {
    return "the tiles at its end do not have the root that its checkpoint signs";
  }
  tree_ = std::move(*tree);
  note_ = note;
  return std::nullopt;
}

std::optional<std::string> LogWriter::prove(const KeptCheckpoint& kept) {
  const OpenedCheckpoint opened = open_checkpoint(kept.note, keys_);
  if (opened.trust != Trust::kGood)
    return "the checkpoint " + kept.where + " " + fault_of(opened.trust);
  const Checkpoint& old = opened.checkpoint;
  if (old.size > size()) {
    return "it was rolled back: it ends after " + std::to_string(size()) +
           " events, and the checkpoint " + kept.where + " has " + std::to_string(old.size);
  }
  TileReader tiles = reader();
  const auto proof = consistency_proof(old.size, size(), tiles.nodes());
  if (!proof) {
    return "its tiles are missing or damaged (" + said(proof.error()) +
           "), which it takes to continue the checkpoint " + kept.where + ", of " +
           std::to_string(old.size) +
           " events: if its files were moved away, name their folder in [audit] closed";
  }
  if (!verify_consistency(old.size, old.root, size(), tree_.root(), *proof)) {
    return "it is not a continuation of the checkpoint " + kept.where + ", of " +
           std::to_string(old.size) + " events";
  }
  return std::nullopt;
}

base::Result<void> LogWriter::publish(std::span<const std::string> entries) {
  if (entries.empty()) return {};
  if (pending_) {
    const std::uint64_t begun = pending_->tree.size() - size();
    if (auto done = finish(); !done) return done;
    if (entries.size() <= begun) return {};
    entries = entries.subspan(begun);
  }
  TileTree next = tree_;
  std::vector<LogFile> files;
  for (const std::string& entry : entries) next.add(entry, files);
  next.append_partials(size(), files);
  for (const LogFile& file : files) {
    if (auto done = files_.put(file.path, file.bytes); !done) return done;
  }
  if (auto done = files_.sync(); !done) return done;
  auto note =
      sign_checkpoint({keys_.front().name(), next.size(), next.root()}, keys_.front(), sign_);
  if (!note) return std::unexpected(note.error());
  // A token that signs wrongly once must not leave behind a log that no start can continue.
  if (open_checkpoint(*note, keys_.front()).trust != Trust::kGood) {
    return base::fail(base::Code::kInternal, "verify the new checkpoint's signature");
  }
  pending_ = {std::move(next), std::move(*note)};
  return finish();
}

base::Result<void> LogWriter::make_durable() {
  if (durable_size_ == size()) return {};
  auto done = files_.replace(std::string(kCheckpointPath), note_);
  if (done) durable_size_ = size();
  return done;
}

base::Result<void> LogWriter::finish() {
  auto done = files_.replace(std::string(kCheckpointPath), pending_->note);
  if (!done) return done;
  const auto before = tree_.unfinished();
  tree_ = std::move(pending_->tree);
  note_ = std::move(pending_->note);
  pending_.reset();
  durable_size_ = size();
  // Whoever reads by an older checkpoint finds the beginning of the full file (tlog-tiles). One
  // that stays for a failure here is in nobody's way.
  const auto still = tree_.unfinished();
  for (const std::string& path : before) {
    if (std::ranges::find(still, path) == still.end()) {
      static_cast<void>(files_.remove_folder(path + ".p"));
    }
  }
  return {};
}

}  // namespace cardvault::audit
