// Custodians who left: what they know can't be unlearned.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "provisioning/context.h"
#include "provisioning/finding.h"
#include "vault/custody/transcript.h"

namespace cardvault::provisioning {

// `share leave`: records it in the file "left" beside the transcript, once, and says why resharing
// is not enough and what is. Always kRefused: new secrets are still to be made. Throws
// StartupError, ToolError.
ExitCode record_leaving(const Context& context, const std::string& transcript,
                        const std::string& name);

struct Left {
  std::string name;
  std::int64_t time_ms = 0;
  std::string secrets;  // that they hold shares of, by the transcript: "so-pin, user-pin"
};
// Who left and still holds valid shares of this transcript. Throws StartupError.
[[nodiscard]] std::vector<Left> who_left(const std::string& path,
                                         const custody::Transcript& transcript);

// For doctor: an error for each of them.
void check_leavers(const std::string& path, Findings& findings);

}  // namespace cardvault::provisioning
