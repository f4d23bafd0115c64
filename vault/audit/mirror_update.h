// One run of update_mirror(): what is known of the log's past is held against what is served
// (mirror_past.cc), then records are taken step by step (mirror.cc).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/audit/mirror.h"

namespace cardvault::audit {

// How far an update has come, and to which checkpoint it is on its way: "SIZE\n" and the note.
inline constexpr const char* kPendingFile = "pending/update";

class MirrorUpdate {
 public:
  MirrorUpdate(const ReadFile& remote, LogFiles& local, std::vector<VerifierKey>& keys,
               const MirrorProgress& progress, const QuorumJudge& judge)
      : remote_(remote), local_(local), keys_(keys), progress_(progress), judge_(judge) {}

  base::Result<MirrorReport> run();

 private:
  // A checkpoint that the log served has to continue.
  struct Known {
    std::string note;
    Checkpoint checkpoint;
    const char* where;
    // By a key before the one given: believed only as what the served log continues.
    bool earlier_key = false;
  };
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

}  // namespace cardvault::audit
