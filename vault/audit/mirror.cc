#include "vault/audit/mirror.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "vault/audit/bundle_check.h"
#include "vault/audit/checkpoint_fault.h"
#include "vault/audit/key_chain.h"
#include "vault/audit/mirror_months.h"
#include "vault/audit/proof.h"

namespace cardvault::audit {
namespace {

using base::Code;

constexpr std::size_t kStepBundles = 64;
constexpr std::size_t kStepBytes = std::size_t{4} << 20;
constexpr const char* kPendingFolder = "pending";
// How far an update has come, and to which checkpoint it is on its way: "SIZE\n" and the note.
constexpr const char* kPendingFile = "pending/update";

struct Known {
  std::string note;
  Checkpoint checkpoint;
  const char* where;
};

class Update {
 public:
  Update(const ReadFile& remote, LogFiles& local, std::vector<VerifierKey>& keys,
         const MirrorProgress& progress, const QuorumJudge& judge)
      : remote_(remote), local_(local), keys_(keys), progress_(progress), judge_(judge) {}

  base::Result<MirrorReport> run();

 private:
  using Step = base::Result<void>;  // with an alarm raised the rest is left undone
  [[nodiscard]] bool alarmed() const { return report_.alarm.has_value(); }
  void alarm(Fault fault, std::string what, std::uint64_t record = kNoRecord,
             std::string file = "");
  [[nodiscard]] Step alarm_or_error(const base::Error& error);

  [[nodiscard]] base::Result<OpenedCheckpoint> open(std::string_view note);
  [[nodiscard]] std::optional<Finding> fault_of(const OpenedCheckpoint& opened) const;
  [[nodiscard]] Step load_copy();
  [[nodiscard]] Step load_pending();
  [[nodiscard]] Step fetch_checkpoint();
  [[nodiscard]] Step judge_tiles();
  [[nodiscard]] Step judge(const Known& known);
  [[nodiscard]] base::Result<bool> continues(std::uint64_t size, const Hash& root);
  [[nodiscard]] Step take_step();
  [[nodiscard]] base::Result<std::size_t> take_bundle(TileTree& tree, std::vector<LogFile>& files);
  [[nodiscard]] Step find_wrong_record(const TileTree& tree);
  [[nodiscard]] Step judge_bundle(std::uint64_t index);
  [[nodiscard]] Step store(const TileTree& tree, std::vector<LogFile> files);
  [[nodiscard]] Step take_months();
  [[nodiscard]] Step finish();
  [[nodiscard]] ReadFile local_reader() {
    return [this](const std::string& path) { return local_.read(path); };
  }

  const ReadFile& remote_;
  LogFiles& local_;
  std::vector<VerifierKey>& keys_;
  const MirrorProgress& progress_;
  const QuorumJudge& judge_;
  std::string refused_;  // of the search for further keys
  MirrorReport report_;
  std::string own_note_;      // the copy's checkpoint
  std::vector<Known> known_;  // the copy's checkpoint, and the one that an update was on its way to
  TileTree tree_;             // proven, and in place
  std::optional<TileTree> pending_;  // in place, by an update that was cut off
  std::string note_;                 // served
  Checkpoint target_;
  LogFile last_;  // served
  std::optional<TileReader> tiles_;
};

void Update::alarm(Fault fault, std::string what, std::uint64_t record, std::string file) {
  report_.alarm = Finding{fault, record, std::move(file), 0, std::move(what)};
  report_.ours = known_.empty() ? "" : known_.back().note;
  report_.theirs = note_;
}

// With the keys that the log hands on to, where it takes one that isn't known yet.
base::Result<OpenedCheckpoint> Update::open(std::string_view note) {
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

std::optional<Finding> Update::fault_of(const OpenedCheckpoint& opened) const {
  auto fault = checkpoint_fault(opened, keys_.front());
  if (fault && opened.trust == Trust::kOtherKey && !refused_.empty()) fault->what = refused_;
  return fault;
}

// What is served but can't be a file of the log is as wrong as one with other contents.
Update::Step Update::alarm_or_error(const base::Error& error) {
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

Update::Step Update::load_copy() {
  auto note = local_.read(std::string(kCheckpointPath));
  if (!note) return std::unexpected(note.error());
  if (!*note) return {};
  const auto opened = open(**note);
  if (!opened) return std::unexpected(opened.error());
  own_note_ = **note;
  known_.push_back({own_note_, opened->checkpoint, "of this copy"});
  if (const auto fault = fault_of(*opened)) {
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
Update::Step Update::load_pending() {
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
  if (opened->trust != Trust::kGood || size > opened->checkpoint.size) return {};
  known_.push_back({std::move(note), opened->checkpoint, "that an earlier update was served"});
  auto tree = TileTree::load(TileReader(local_reader(), size));
  if (tree && size > tree_.size()) pending_ = std::move(*tree);
  return {};
}

Update::Step Update::fetch_checkpoint() {
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

Update::Step Update::judge_tiles() {
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

base::Result<bool> Update::continues(std::uint64_t size, const Hash& root) {
  const auto proof = consistency_proof(size, target_.size, tiles_->nodes());
  if (!proof) return std::unexpected(proof.error());
  return verify_consistency(size, root, target_.size, target_.root, *proof);
}

Update::Step Update::judge(const Known& known) {
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
  if (*proven) {
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

// The records of one bundle that the tree does not have yet; how many bytes they are.
base::Result<std::size_t> Update::take_bundle(TileTree& tree, std::vector<LogFile>& files) {
  const auto bundle = tiles_->bundle(tree.size() / kTileWidth);
  if (!bundle) return std::unexpected(bundle.error());
  const std::uint64_t had = tree.size() % kTileWidth;
  BundleReader entries(*bundle);
  std::uint64_t number = 0;
  for (auto entry = entries.next(); entry; entry = entries.next()) {
    if (number++ >= had) tree.add(*entry, files);
  }
  return bundle->size();
}

Update::Step Update::take_step() {
  TileTree next = tree_;
  std::vector<LogFile> files;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < kStepBundles && bytes < kStepBytes && next.size() < target_.size;
       ++i) {
    const auto taken = take_bundle(next, files);
    if (!taken) {
      if (taken.error().code != Code::kRecordDamaged) return alarm_or_error(taken.error());
      if (auto done = judge_bundle(next.size() / kTileWidth); !done || alarmed()) return done;
      return alarm_or_error(taken.error());
    }
    bytes += *taken;
  }
  const auto good = continues(next.size(), next.root());
  if (!good) return alarm_or_error(good.error());
  if (!*good) return find_wrong_record(next);
  return store(next, std::move(files));
}

// Which of the records up to `tree` is not the one in the served tiles, and, where all are, says
// that these are not the signed tree's.
Update::Step Update::find_wrong_record(const TileTree& tree) {
  for (std::uint64_t index = tree_.size() / kTileWidth; index * kTileWidth < tree.size(); ++index) {
    if (auto done = judge_bundle(index); !done || alarmed()) return done;
  }
  alarm(Fault::kRewritten, "the records and tiles served are not of the tree that is signed",
        tree_.size());
  return {};
}

// Alarms when the bundle served is not the one in the tile over it, and says what was done to it.
Update::Step Update::judge_bundle(std::uint64_t index) {
  const auto hashes = tiles_->tile(0, index);
  if (!hashes) return alarm_or_error(hashes.error());
  if (auto bundle = tiles_->bundle(index); !bundle && bundle.error().code != Code::kRecordDamaged) {
    return alarm_or_error(bundle.error());
  }
  std::optional<base::Error> error;
  const ReadFile served = [&](const std::string& path) {
    auto file = remote_(path);
    if (!file) error = file.error();
    return file;
  };
  std::vector<Finding> findings;
  try {
    const std::vector<std::optional<Hash>> right(hashes->begin(), hashes->end());
    static_cast<void>(
        check_bundle(LogView(served, target_.size), index, right, true, true, findings));
  } catch (const base::StartupError&) {
    if (!error) throw;
    return std::unexpected(*error);
  }
  // Whether an event is well formed is for `audit verify`: here the tile may be the wrong one.
  const auto found = std::ranges::find_if(
      findings, [](const Finding& one) { return one.fault != Fault::kMalformed; });
  if (found == findings.end()) return {};
  alarm(found->fault, found->what, found->record, found->file);
  report_.served = last_;
  return {};
}

Update::Step Update::store(const TileTree& tree, std::vector<LogFile> files) {
  const std::size_t complete = files.size();
  tree.append_partials(tree_.size(), files);
  for (const LogFile& file : files) {
    if (auto done = local_.put(file.path, file.bytes); !done) return done;
  }
  if (auto done = local_.sync(); !done) return done;
  if (tree.size() < target_.size) {
    const std::string pending = std::to_string(tree.size()) + '\n' + note_;
    if (auto done = local_.replace(kPendingFile, pending); !done) return done;
  }
  for (std::size_t i = 0; i < complete; ++i) {
    if (auto done = local_.remove_folder(files[i].path + ".p"); !done) return done;
  }
  tree_ = tree;
  if (progress_) progress_(tree_.size(), target_.size);
  return {};
}

Update::Step Update::take_months() {
  auto wrong = copy_months(remote_, local_, keys_, target_);
  if (!wrong) return std::unexpected(wrong.error());
  if (!*wrong) return {};
  alarm((*wrong)->finding.fault, std::move((*wrong)->finding.what), kNoRecord,
        std::move((*wrong)->finding.file));
  report_.served = std::move((*wrong)->served);
  return {};
}

Update::Step Update::finish() {
  if (own_note_ != note_) {
    if (auto done = local_.replace(std::string(kCheckpointPath), note_); !done) return done;
  }
  report_.added = target_.size - report_.checkpoint.size;
  report_.checkpoint = target_;
  return local_.remove_folder(kPendingFolder);
}

base::Result<MirrorReport> Update::run() {
  using Part = Step (Update::*)();
  for (const Part part : {&Update::load_copy, &Update::load_pending, &Update::fetch_checkpoint,
                          &Update::judge_tiles}) {
    if (auto done = (this->*part)(); !done) return std::unexpected(done.error());
    if (alarmed()) return std::move(report_);
  }
  while (tree_.size() < target_.size) {
    if (auto done = take_step(); !done) return std::unexpected(done.error());
    if (alarmed()) return std::move(report_);
  }
  for (const Part part : {&Update::take_months, &Update::finish}) {
    if (auto done = (this->*part)(); !done) return std::unexpected(done.error());
    if (alarmed()) break;
  }
  return std::move(report_);
}

}  // namespace

base::Result<MirrorReport> update_mirror(const ReadFile& remote, LogFiles& local,
                                         std::vector<VerifierKey>& keys,
                                         const MirrorProgress& progress, const QuorumJudge& judge) {
  return Update(remote, local, keys, progress, judge).run();
}

}  // namespace cardvault::audit
