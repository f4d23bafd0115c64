// Shares after the ceremony: `cardvault share …`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "provisioning/context.h"

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

}  // namespace cardvault::provisioning
