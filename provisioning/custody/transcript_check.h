// Whether a transcript proves what it says: with nothing but the file.
#pragma once

#include <string>
#include <vector>

#include "provisioning/custody/plan.h"
#include "vault/custody/transcript.h"

namespace cardvault::custody {

struct Check {
  bool good = false;
  std::string what;  // "anna signed the plan"; when not good, what is wrong instead
};

// What a custodian signs to begin: the plan, for this vault and no other.
[[nodiscard]] std::string plan_message(const std::string& vault, const Digest& plan);
// What everybody signs at the end.
[[nodiscard]] std::string transcript_message(const Digest& body);

// Every signature under the plan and under the transcript, every share of every secret with its
// custodian, every key, and that nothing was done before the plan was signed. What it can't tell:
// whether the plan's keys are the custodians' own, and whether it is the plan they reviewed:
// compare keys and digest with those who were there.
[[nodiscard]] std::vector<Check> check_transcript(const Transcript& transcript);

[[nodiscard]] bool all_good(const std::vector<Check>& checks);

}  // namespace cardvault::custody
