// Custodians who left: what they know can't be unlearned.
#pragma once

#include <string>

#include "provisioning/context.h"

namespace cardvault::provisioning {

// `share leave`: records it in the file "left" beside the transcript, once, and says why resharing
// is not enough and what is. Throws StartupError, ToolError.
ExitCode record_leaving(const Context& context, const std::string& transcript,
                        const std::string& name);

}  // namespace cardvault::provisioning
