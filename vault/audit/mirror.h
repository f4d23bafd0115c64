// A verified copy of a published log, on a machine of its own (docs/audit.md, "Collecting").
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "vault/audit/checkpoint.h"
#include "vault/audit/finding.h"
#include "vault/audit/key_chain.h"
#include "vault/audit/log_files.h"
#include "vault/audit/tile_reader.h"
#include "vault/audit/tile_tree.h"

namespace cardvault::audit {

struct MirrorReport {
  Checkpoint checkpoint;          // what the copy holds now
  std::uint64_t added = 0;        // records, by this update
  std::optional<Finding> alarm;   // what is served is not the log that the copy is of
  std::string ours, theirs;       // with an alarm: the checkpoint kept and the one served
  std::optional<LogFile> served;  // with an alarm: the file that is wrong, as it was served
};

using MirrorProgress = std::function<void(std::uint64_t done, std::uint64_t all)>;

// Brings the copy in `local` up to the checkpoint that `remote` serves: records are taken in order,
// the tiles made of them here, and no file is put in place before a proof has shown that it belongs
// to the signed tree and that this continues each checkpoint kept before. The copy's own checkpoint
// comes last, so that it is a log that verifies at every moment; after a kill the next update goes
// on where the last proof was. Memory: a few MB. Errors: of `remote` and `local`.
//
// `keys`: the one that is trusted, and after it those that the log has handed on to (key_chain.h)
// as far as they are known. Further ones are looked for when a checkpoint needs them, in the copy
// and then in what is served, which reads all records, and are added. A copy whose own checkpoint
// is by a key before the trusted one is taken up where the served log continues it. `judge` says
// whether a quorum's word is believed where a key was lost.
[[nodiscard]] base::Result<MirrorReport> update_mirror(const ReadFile& remote, LogFiles& local,
                                                       std::vector<VerifierKey>& keys,
                                                       const MirrorProgress& progress,
                                                       const QuorumJudge& judge = {});

}  // namespace cardvault::audit
