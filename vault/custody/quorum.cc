#include "vault/custody/quorum.h"

#include <algorithm>

#include "vault/base/clock.h"
#include "vault/custody/shamir.h"

namespace cardvault::custody {
namespace {

// "" when the approval counts; sets `who` as far as it is known.
std::string fault_of(const Approval& approval, const Digest& action, const CustodianSet& set,
                     std::string& who) {
  const auto found = std::ranges::find_if(set.custodians, [&](const Custodian& one) {
    return public_key_text(one.key) == approval.key;
  });
  if (found == set.custodians.end()) {
    return "an approval by " + approval.key.substr(0, 16) + "…, no registered custodian's key";
  }
  who = found->name;
  if (approval.action != action) return who + " approved another action";
  if (!verify(found->key, approval_message(action), approval.signature)) {
    return "the signature of " + who + " does not hold";
  }
  return "";
}

}  // namespace

QuorumVerdict check_quorum(const Action& action, std::span<const Approval> approvals,
                           const CustodianSet& set, std::int64_t now_ms) {
  QuorumVerdict out;
  out.needed = set.needed;
  if (action.vault != set.vault) {
    out.problems.push_back("the action is for the vault " + action.vault + ", not for " +
                           set.vault);
  }
  if (action.expires_ms <= now_ms) {
    out.problems.push_back("the action expired at " + base::format_time(action.expires_ms));
  } else if (action.expires_ms - now_ms > kMaxActionLife_ms) {
    out.problems.emplace_back("the action expires in more than 7 days");
  }
  const bool sound = out.problems.empty();
  const Digest digest = action_digest(action);
  std::vector<std::string> names;
  for (const Approval& approval : approvals) {
    std::string who;
    std::string fault = fault_of(approval, digest, set, who);
    if (fault.empty() && std::ranges::find(names, who) != names.end()) {
      fault = who + " approved it twice: that counts once";
    }
    if (fault.empty()) {
      names.push_back(who);
    } else {
      out.problems.push_back(std::move(fault));
    }
  }
  for (const Custodian& one : set.custodians) {
    if (std::ranges::find(names, one.name) != names.end()) out.approved_by.push_back(one.name);
  }
  const bool enough = set.needed >= kMinThreshold && out.approved_by.size() >= set.needed;
  if (!enough) {
    std::string others;
    for (const Custodian& one : set.custodians) {
      if (std::ranges::find(names, one.name) != names.end()) continue;
      others += (others.empty() ? "" : ", ") + one.name;
    }
    out.problems.push_back(std::to_string(out.approved_by.size()) + " of " +
                           std::to_string(set.needed) +
                           " custodians needed have approved it; missing are " + others);
  }
  out.reached = sound && enough;
  return out;
}

}  // namespace cardvault::custody
