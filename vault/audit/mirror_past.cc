// What a copy knows of the log's past, held against what is served now.
#include <charconv>
#include <utility>

#include "vault/audit/checkpoint_fault.h"
#include "vault/audit/mirror_update.h"
#include "vault/audit/proof.h"

namespace cardvault::audit {

using base::Code;

void MirrorUpdate::alarm(Fault fault, std::string what, std::uint64_t record, std::string file) {
  report_.alarm = Finding{fault, record, std::move(file), 0, std::move(what)};
  report_.ours = known_.empty() ? "" : known_.back().note;
  report_.theirs = note_;
}

// With the keys that the log hands on to, where it takes one that isn't known yet.
base::Result<OpenedCheckpoint> MirrorUpdate::open(std::string_view note) {
  OpenedCheckpoint opened = open_checkpoint(note, keys_);
  if (opened.trust != Trust::kOtherKey) return opened;
  std::optional<base::Error> error;
  const ReadFile copied_or_served = [&](const std::string& path) {
    auto file = local_.read(path);
    if (file && !*file) file = remote_(path);
    if (!file) error = file.error();
    return file;
  };
  try {
    const LogView view(copied_or_served, opened.checkpoint.size);
    Successors found = find_successors(view, keys_.back(), judge_);
    for (EndorsedKey& next : found.keys) {
      keys_.push_back(std::move(next.key));
      if (const auto last = parse_checkpoint_text(next.last_known)) {
        known_.push_back(
            {std::move(next.last_known), *last, "that the custodians' quorum knew of"});
      }
    }
    refused_ = std::move(found.refused);
  } catch (const base::StartupError&) {
    if (!error) throw;
    return std::unexpected(*error);
  }
  return open_checkpoint(note, keys_);
}

std::optional<Finding> MirrorUpdate::fault_of(const OpenedCheckpoint& opened) const {
  auto fault = checkpoint_fault(opened, keys_.front());
  if (fault && opened.trust == Trust::kOtherKey && !refused_.empty()) fault->what = refused_;
  return fault;
}

// What is served but can't be a file of the log is as wrong as one with other contents.
MirrorUpdate::Step MirrorUpdate::alarm_or_error(const base::Error& error) {
  if (error.code != Code::kNotFound && error.code != Code::kRecordDamaged) {
    return std::unexpected(error);
  }
  const bool missing = error.code == Code::kNotFound;
  alarm(missing ? Fault::kMissing : Fault::kTruncated,
        missing ? "the checkpoint covers this file, and it is not served"
                : "the file served is not of the length that it must have",
        kNoRecord, last_.path);
  if (!missing) report_.served = last_;
  return {};
}

MirrorUpdate::Step MirrorUpdate::load_copy() {
  auto note = local_.read(std::string(kCheckpointPath));
  if (!note) return std::unexpected(note.error());
  if (!*note) return {};
  const auto opened = open(**note);
  if (!opened) return std::unexpected(opened.error());
  own_note_ = **note;
  const bool earlier_key = opened->trust == Trust::kOtherKey;
  known_.push_back({own_note_, opened->checkpoint, "of this copy", earlier_key});
  if (const auto fault = fault_of(*opened); fault && !earlier_key) {
    alarm(fault->fault, "this copy's own checkpoint: " + fault->what);
    return {};
  }
  report_.checkpoint = opened->checkpoint;
  auto tree = TileTree::load(TileReader(local_reader(), opened->checkpoint.size));
  if (!tree || tree->root() != opened->checkpoint.root) {
    alarm(Fault::kFlipped,
          "this copy's own files at its end are not those of its checkpoint: they were changed "
          "here. `audit verify` of the copy says which");
    return {};
  }
  tree_ = std::move(*tree);
  return {};
}

// An update that was cut off: what it had proven is taken up where its files are all right.
MirrorUpdate::Step MirrorUpdate::load_pending() {
  auto text = local_.read(kPendingFile);
  if (!text) return std::unexpected(text.error());
  if (!*text) return {};
  std::uint64_t size = 0;
  const char* const end = (*text)->data() + (*text)->size();
  const auto [rest, error] = std::from_chars((*text)->data(), end, size);
  if (error != std::errc() || rest == end || *rest != '\n') return {};
  std::string note(rest + 1, end);
  const auto opened = open(note);
  if (!opened) return std::unexpected(opened.error());
  const bool earlier_key = opened->trust == Trust::kOtherKey;
  if (opened->trust != Trust::kGood && !earlier_key) return {};
  if (size > opened->checkpoint.size) return {};
  known_.push_back(
      {std::move(note), opened->checkpoint, "that an earlier update was served", earlier_key});
  auto tree = TileTree::load(TileReader(local_reader(), size));
  if (tree && size > tree_.size()) pending_ = std::move(*tree);
  return {};
}

MirrorUpdate::Step MirrorUpdate::fetch_checkpoint() {
  const auto served = remote_(std::string(kCheckpointPath));
  if (!served) return std::unexpected(served.error());
  if (!*served) return base::fail(Code::kNotFound, "read the checkpoint");
  note_ = **served;
  const auto opened = open(note_);
  if (!opened) return std::unexpected(opened.error());
  if (auto fault = fault_of(*opened)) {
    alarm(fault->fault, std::move(fault->what), kNoRecord, std::string(kCheckpointPath));
    return {};
  }
  target_ = opened->checkpoint;
  for (const Known& known : known_) {
    if (known.checkpoint.size <= target_.size) continue;
    alarm(Fault::kRolledBack, "the log served has " + std::to_string(target_.size) +
                                  " records, and the checkpoint " + known.where + " has " +
                                  std::to_string(known.checkpoint.size));
    return {};
  }
  tiles_.emplace(
      [this](const std::string& path) {
        auto bytes = remote_(path);
        if (bytes && *bytes) last_ = {path, **bytes};
        if (bytes && !*bytes) last_ = {path, ""};
        return bytes;
      },
      target_.size);
  return {};
}

MirrorUpdate::Step MirrorUpdate::judge_tiles() {
  const auto root = root_of(target_.size, tiles_->nodes());
  if (!root) return alarm_or_error(root.error());
  if (*root != target_.root) {
    alarm(Fault::kFlipped, "the tiles served at the log's end do not have the root that is signed");
    report_.served = last_;
    return {};
  }
  for (const Known& known : known_) {
    if (auto judged = judge(known); !judged || alarmed()) return judged;
  }
  if (!pending_) return {};
  // Files of it that were changed since are taken once more.
  const auto good = continues(pending_->size(), pending_->root());
  if (!good) return alarm_or_error(good.error());
  if (*good) tree_ = std::move(*pending_);
  return {};
}

base::Result<bool> MirrorUpdate::continues(std::uint64_t size, const Hash& root) {
  const auto proof = consistency_proof(size, target_.size, tiles_->nodes());
  if (!proof) return std::unexpected(proof.error());
  return verify_consistency(size, root, target_.size, target_.root, *proof);
}

MirrorUpdate::Step MirrorUpdate::judge(const Known& known) {
  const Checkpoint& old = known.checkpoint;
  const auto good = continues(old.size, old.root);
  if (!good) return alarm_or_error(good.error());
  if (*good) return {};
  // The tiles that are served either show that the signed tree has another beginning, or are not
  // that tree's.
  const auto theirs = root_of(old.size, tiles_->nodes());
  if (!theirs) return alarm_or_error(theirs.error());
  const auto proven = continues(old.size, *theirs);
  if (!proven) return alarm_or_error(proven.error());
  if (*proven && known.earlier_key) {
    alarm(Fault::kForeignLog, std::string("the checkpoint ") + known.where +
                                  " is signed by another key, and is not of this log's past: it is "
                                  "another vault's, or the key given is not its own");
    report_.ours = known.note;
  } else if (*proven) {
    alarm(Fault::kRolledBack, "the log was forked: what is served is signed, and its first " +
                                  std::to_string(old.size) +
                                  " records are not those of the checkpoint " + known.where);
    report_.ours = known.note;
  } else {
    alarm(Fault::kFlipped, "the tiles served are not of the tree that is signed", kNoRecord,
          last_.path);
    report_.served = last_;
  }
  return {};
}

}  // namespace cardvault::audit
