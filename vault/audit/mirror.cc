#include "vault/audit/mirror.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "vault/audit/bundle_check.h"
#include "vault/audit/mirror_months.h"
#include "vault/audit/mirror_update.h"

namespace cardvault::audit {
namespace {

using base::Code;

constexpr std::size_t kStepBundles = 64;
constexpr std::size_t kStepBytes = std::size_t{4} << 20;
constexpr const char* kPendingFolder = "pending";

}  // namespace

// The records of one bundle that the tree does not have yet; how many bytes they are.
base::Result<std::size_t> MirrorUpdate::take_bundle(TileTree& tree, std::vector<LogFile>& files) {
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

MirrorUpdate::Step MirrorUpdate::take_step() {
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
MirrorUpdate::Step MirrorUpdate::find_wrong_record(const TileTree& tree) {
  for (std::uint64_t index = tree_.size() / kTileWidth; index * kTileWidth < tree.size(); ++index) {
    if (auto done = judge_bundle(index); !done || alarmed()) return done;
  }
  alarm(Fault::kRewritten, "the records and tiles served are not of the tree that is signed",
        tree_.size());
  return {};
}

// Alarms when the bundle served is not the one in the tile over it, and says what was done to it.
MirrorUpdate::Step MirrorUpdate::judge_bundle(std::uint64_t index) {
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

MirrorUpdate::Step MirrorUpdate::store(const TileTree& tree, std::vector<LogFile> files) {
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

MirrorUpdate::Step MirrorUpdate::take_months() {
  auto wrong = copy_months(remote_, local_, keys_, target_);
  if (!wrong) return std::unexpected(wrong.error());
  if (!*wrong) return {};
  alarm((*wrong)->finding.fault, std::move((*wrong)->finding.what), kNoRecord,
        std::move((*wrong)->finding.file));
  report_.served = std::move((*wrong)->served);
  return {};
}

MirrorUpdate::Step MirrorUpdate::finish() {
  if (own_note_ != note_) {
    if (auto done = local_.replace(std::string(kCheckpointPath), note_); !done) return done;
  }
  report_.added = target_.size - report_.checkpoint.size;
  report_.checkpoint = target_;
  return local_.remove_folder(kPendingFolder);
}

base::Result<MirrorReport> MirrorUpdate::run() {
  using Part = Step (MirrorUpdate::*)();
  for (const Part part : {&MirrorUpdate::load_copy, &MirrorUpdate::load_pending,
                          &MirrorUpdate::fetch_checkpoint, &MirrorUpdate::judge_tiles}) {
    if (auto done = (this->*part)(); !done) return std::unexpected(done.error());
    if (alarmed()) return std::move(report_);
  }
  while (tree_.size() < target_.size) {
    if (auto done = take_step(); !done) return std::unexpected(done.error());
    if (alarmed()) return std::move(report_);
  }
  for (const Part part : {&MirrorUpdate::take_months, &MirrorUpdate::finish}) {
    if (auto done = (this->*part)(); !done) return std::unexpected(done.error());
    if (alarmed()) break;
  }
  return std::move(report_);
}

base::Result<MirrorReport> update_mirror(const ReadFile& remote, LogFiles& local,
                                         std::vector<VerifierKey>& keys,
                                         const MirrorProgress& progress, const QuorumJudge& judge) {
  return MirrorUpdate(remote, local, keys, progress, judge).run();
}

}  // namespace cardvault::audit
