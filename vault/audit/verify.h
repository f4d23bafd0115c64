// Verifies a published log with nothing but its files and its public key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vault/audit/checkpoint.h"
#include "vault/audit/finding.h"
#include "vault/audit/key_chain.h"
#include "vault/audit/log_writer.h"
#include "vault/audit/verify_walk.h"

namespace cardvault::audit {

struct VerifyReport {
  Checkpoint checkpoint;
  std::vector<EndorsedKey> successors;  // of the given key, as far as they were needed
  // What is wrong, the first bad record's first; empty: the log is what its checkpoint signs, and
  // continues every checkpoint it was held against.
  std::vector<Finding> findings;
  std::uint64_t records = 0;  // looked at
  std::int64_t first_ms = 0, last_ms = 0;
};

// `read` must be thread-safe; `key` is the log's first one, or any later: where a checkpoint is by
// another, the keys that came after it are taken from the log (key_chain.h), and `judge` says
// whether a quorum's word is believed where a key was lost. `older` are
// checkpoints of the past. Throws StartupError when nothing
// can be said: there is no checkpoint, a file can't be read, an older checkpoint is not the log's.
// While the log is being written it verifies as of the checkpoint read first.
[[nodiscard]] VerifyReport verify_log(const ReadFile& read, const VerifierKey& key,
                                      const std::vector<KeptCheckpoint>& older,
                                      const WalkOptions& options, const QuorumJudge& judge = {});

}  // namespace cardvault::audit
