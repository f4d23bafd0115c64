#include "provisioning/auditor/custodians_word.h"

#include <algorithm>

#include "provisioning/auditor/published_log.h"
#include "vault/custody/quorum.h"

namespace cardvault::auditor {
namespace {

struct Register {
  std::string path;
  custody::CustodianSet set;
};

std::string judge(const custody::Action& action, const std::vector<custody::Approval>& approvals,
                  const Register& trusted, std::int64_t time_ms) {
  const auto& [path, set] = trusted;
  if (!custody::check_signatures(set, set.audit_key).empty()) {
    return "the signatures under " + path + " do not hold";
  }
  const auto verdict = custody::check_quorum(action, approvals, set, time_ms);
  if (verdict.reached) return "";
  std::string problems;
  for (const std::string& one : verdict.problems) problems += (problems.empty() ? "" : "; ") + one;
  return problems.empty() ? "no quorum" : problems;
}

}  // namespace

std::string quorum_fault(const ApprovedAct& act, const std::string& verb,
                         const std::vector<std::pair<std::string, std::string>>& arguments,
                         const std::vector<std::string>& registers) {
  std::vector<Register> trusted;
  trusted.reserve(registers.size());
  for (const std::string& path : registers) {
    trusted.push_back({path, custody::parse_custodian_set(path, read_file(path))});
  }
  try {
    const auto action = custody::parse_action("the action", act.action);
    std::vector<custody::Approval> approvals;
    approvals.reserve(act.approvals.size());
    for (const std::string& one : act.approvals) {
      approvals.push_back(custody::parse_approval("an approval", one));
    }
    const bool about_this = std::ranges::all_of(arguments, [&](const auto& wanted) {
      return std::ranges::find(action.arguments, wanted) != action.arguments.end();
    });
    if (action.verb != verb || !about_this) {
      return "the quorum approved another act, another key or another checkpoint";
    }
    std::string fault;
    for (const Register& one : trusted) {
      fault = judge(action, approvals, one, act.time_ms);
      if (fault.empty()) return "";
    }
    return fault;
  } catch (const base::StartupError& problem) {
    return problem.what();
  }
}

audit::QuorumJudge trust_custodians(const std::vector<std::string>& registers) {
  for (const std::string& path : registers) {
    static_cast<void>(custody::parse_custodian_set(path, read_file(path)));
  }
  return [registers](const audit::Replacement& said, const audit::Checkpoint& last) {
    if (registers.empty()) {
      return std::string(
          "no custodians are trusted here: name their register, of that time, with --custodians");
    }
    return quorum_fault({said.action, said.approvals, said.time_ms}, "key.replace",
                        {{"checkpoint", std::to_string(last.size) + " " + custody::hex(last.root)},
                         {"lost_vkey", said.lost.text()},
                         {"vkey", said.key.text()}},
                        registers);
  };
}

}  // namespace cardvault::auditor
