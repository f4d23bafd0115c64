// Whether a quorum of custodians whom the auditor trusts approved what a log says they did.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "vault/audit/key_chain.h"

namespace cardvault::auditor {

// What a log's event holds of an act that took the quorum.
struct ApprovedAct {
  std::string action;
  std::vector<std::string> approvals;
  std::int64_t time_ms = 0;  // when it was carried out
};

// What is wrong; "": the quorum of one of the registers (files) approved the act `verb` with these
// arguments, among others, and it had not expired then. Throws StartupError: no such file.
[[nodiscard]] std::string quorum_fault(
    const ApprovedAct& act, const std::string& verb,
    const std::vector<std::pair<std::string, std::string>>& arguments,
    const std::vector<std::string>& registers);

// Of the replacement of a lost key of the log (docs/keys.md, "When audit-sign is lost"). Throws
// StartupError: no such file, or it is no register.
[[nodiscard]] audit::QuorumJudge trust_custodians(const std::vector<std::string>& registers);

}  // namespace cardvault::auditor
