// New PINs and a new backup key on the same token: what a custodian who left knows opens nothing.
#pragma once

#include <string>

#include "provisioning/context.h"

namespace cardvault::provisioning {

// `share renew`: the custodians of a new plan sign it; enough of those before rebuild the three
// secrets; new ones are made and split among the new; the token's PINs are changed on a copy, its
// keys are wrapped under the new backup key, that is proven, and all of it takes the place of the
// old at once, with the next transcript. The vault is stopped or sealed meanwhile. SoftHSM only:
// other tokens change by a ceremony. Killed before the exchange nothing is changed; after it the
// same command finishes it without anybody. Throws StartupError, ToolError with what to do.
ExitCode renew_secrets(const Context& context, const std::string& plan);

}  // namespace cardvault::provisioning
