// What `doctor` found.
#pragma once

#include <string>
#include <vector>

namespace cardvault::provisioning {

enum class Severity { kOk, kNote, kWarning, kError };

// One finding: what is the case, and what to do about it ("" when there is nothing to do).
struct Finding {
  Severity severity = Severity::kOk;
  std::string what;
  std::string advice = {};
};
using Findings = std::vector<Finding>;

}  // namespace cardvault::provisioning
