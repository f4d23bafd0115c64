#include "vault/audit/verify.h"

#include <algorithm>
#include <iterator>

#include "vault/audit/checkpoint_fault.h"
#include "vault/audit/proof.h"

namespace cardvault::audit {
namespace {

// Is the log a continuation of an older state? Certain whatever the tiles hold, but where they are
// damaged it may be that nothing can be said: then their own findings say so.
std::optional<Finding> judge_past(const ReadFile& read, const Checkpoint& now,
                                  const Checkpoint& old, const std::string& where, bool damaged) {
  if (old.size > now.size) {
    return Finding{Fault::kRolledBack, now.size, std::string(kCheckpointPath), 0,
                   "the log has " + std::to_string(now.size) + " records, and the checkpoint " +
                       where + " has " + std::to_string(old.size)};
  }
  TileReader tiles(read, now.size);
  const auto proof = consistency_proof(old.size, now.size, tiles.nodes());
  if (proof && verify_consistency(old.size, old.root, now.size, now.root, *proof)) {
    return std::nullopt;
  }
  if (damaged) return std::nullopt;
  return Finding{Fault::kRolledBack, kNoRecord, std::string(kCheckpointPath), 0,
                 "the log is not a continuation of the checkpoint " + where +
                     ": some of its first " + std::to_string(old.size) + " records are other ones"};
}

// The given key and those that the log hands on to; these are looked for where one is needed.
std::vector<VerifierKey> keys_for(const ReadFile& read, std::string_view note,
                                  const VerifierKey& first,
                                  const std::vector<KeptCheckpoint>& older,
                                  const QuorumJudge& judge, Successors& successors) {
  std::vector<VerifierKey> keys = {first};
  const OpenedCheckpoint now = open_checkpoint(note, first);
  if (now.trust == Trust::kOtherKey || std::ranges::any_of(older, [&](const KeptCheckpoint& one) {
        return open_checkpoint(one.note, first).trust == Trust::kOtherKey;
      })) {
    successors = find_successors(LogView(read, now.checkpoint.size), first, judge);
    for (const EndorsedKey& next : successors.keys) keys.push_back(next.key);
  }
  return keys;
}

}  // namespace

VerifyReport verify_log(const ReadFile& read, const VerifierKey& key,
                        const std::vector<KeptCheckpoint>& kept, const WalkOptions& options,
                        const QuorumJudge& judge) {
  const auto note = read(std::string(kCheckpointPath));
  if (!note || !*note) {
    throw base::StartupError(
        note ? "there is no checkpoint in the folder: is it the folder of a published log?"
             : "the checkpoint can't be read: " +
                   std::generic_category().message(static_cast<int>(note.error().number)));
  }
  VerifyReport report;
  Successors successors;
  const auto keys = keys_for(read, **note, key, kept, judge, successors);
  report.successors = std::move(successors.keys);
  std::vector<KeptCheckpoint> older = kept;
  for (const EndorsedKey& next : report.successors) {
    if (next.last_known.empty()) continue;
    older.push_back(
        {"that the custodians' quorum knew of, in record " + std::to_string(next.record) + ",",
         next.last_known});
  }
  std::vector<Checkpoint> past;
  for (const KeptCheckpoint& one : older) {
    const OpenedCheckpoint old = open_checkpoint(one.note, keys);
    if (const auto finding = checkpoint_fault(old, key)) {
      throw base::StartupError(one.where + " says nothing about this log: " + finding->what);
    }
    past.push_back(old.checkpoint);
  }
  const OpenedCheckpoint opened = open_checkpoint(**note, keys);
  report.checkpoint = opened.checkpoint;
  if (opened.trust == Trust::kOtherKey && successors.missing) {
    report.findings.push_back(
        {Fault::kMissing, successors.missing_record, *successors.missing, 0,
         "the file is missing, and so it can't be known whether the log's keys endorsed the one "
         "that signed the checkpoint: where files of closed months were moved away, name their "
         "folder with --also"});
    return report;
  }
  if (opened.trust == Trust::kOtherKey && !successors.refused.empty()) {
    report.findings.push_back({Fault::kForeignLog, successors.refused_record,
                               std::string(kCheckpointPath), 0, std::move(successors.refused)});
    return report;
  }
  if (auto finding = checkpoint_fault(opened, key)) {
    report.findings.push_back(std::move(*finding));
    return report;  // nothing in the folder is vouched for
  }
  const LogView view(read, opened.checkpoint.size);
  WalkReport walked = walk_log(view, opened.checkpoint.root, options);
  for (std::size_t i = 0; i < past.size(); ++i) {
    if (auto finding = judge_past(read, opened.checkpoint, past[i], older[i].where,
                                  !walked.findings.empty())) {
      report.findings.push_back(std::move(*finding));
    }
  }
  std::ranges::move(walked.findings, std::back_inserter(report.findings));
  report.records = walked.records;
  report.first_ms = walked.first_ms;
  report.last_ms = walked.last_ms;
  return report;
}

}  // namespace cardvault::audit
