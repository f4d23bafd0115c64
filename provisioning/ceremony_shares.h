// Shares after the ceremony: `cardvault share …`, and what doctor says of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "provisioning/context.h"
#include "provisioning/finding.h"

namespace cardvault::provisioning {

// `share drill`: one share, entered on the terminal or from its file, is compared with its digest
// in the transcript; nothing is rebuilt. Recorded beside the transcript. kRefused when it is bad.
ExitCode drill_share(const Context& context, const std::string& transcript);

// `share list`: every valid share, whose, when delivered and when last proven.
ExitCode list_shares(const Context& context, const std::string& transcript);

struct ReshareOptions {
  std::string transcript;            // the newest
  std::string secret;                // "so-pin", …
  std::string out;                   // the new transcript
  std::vector<std::string> mediums;  // "anna=/media/new": other than in the plan
};

// `share reshare`: K custodians rebuild the secret in memory, all of its custodians receive shares
// of a new split, and the old ones are void. For a lost medium; never for a custodian who leaves.
ExitCode reshare(const Context& context, const ReshareOptions& options);

inline constexpr std::int64_t kDrillWarning_ms = 180LL * 24 * 3'600'000;

// For doctor: a warning for each share not proven for longer than kDrillWarning_ms, counted from
// its delivery; a secret that fewer than K + 1 custodians have proven is a warning too; an error
// when the newest transcript in `folder` (VAULT/custody) can't be read. No folder: no findings.
void check_shares(const std::string& folder, std::int64_t now_ms, Findings& findings);

// "transcript.N" with the highest N; "" when there is none.
[[nodiscard]] std::string newest_transcript(const std::string& folder);

}  // namespace cardvault::provisioning
