// Whether enough custodians allow an act. Pure: no file, no clock.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "vault/custody/action.h"
#include "vault/custody/custodian_set.h"

namespace cardvault::custody {

struct QuorumVerdict {
  bool reached = false;
  unsigned needed = 0;
  std::vector<std::string> approved_by;  // names, each once, in the order of the set
  std::vector<std::string>
      problems;  // what keeps it from being reached, or was left out; a line each
};

// Counts the custodians of `set` whose approvals are for exactly this action: other vault, expired,
// living longer than kMaxActionLife_ms, another action, an unknown key, a signature that doesn't
// hold and a second approval of one custodian each count for nothing and are named. `now_ms` is
// vault time.
//
// Before: load the set with parse_custodian_set() and check_signatures() against the token's own
// audit-sign key. After: whoever carries the action out keeps its digest until it expires and
// refuses it a second time.
[[nodiscard]] QuorumVerdict check_quorum(const Action& action, std::span<const Approval> approvals,
                                         const CustodianSet& set, std::int64_t now_ms);

}  // namespace cardvault::custody
