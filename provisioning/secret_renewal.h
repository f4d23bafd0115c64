// New PINs and a new backup key on the same token: what a custodian who left knows opens nothing.
#pragma once

#include <string>

#include "provisioning/context.h"

namespace cardvault::provisioning {

// `share renew`: the custodians of a new plan sign it; enough of those before rebuild the three
// secrets; new ones are made and split among the new; the token's keys are wrapped under the new
// backup key, that is proven, all sign the next transcript; then the token gets its PINs
// (RenewedToken), and PIN file, wrapped keys and transcript take the place of the old. The vault is
// stopped or sealed meanwhile. Killed before the token's turn nothing is changed; after it the same
// command finishes it, and asks nobody where the token was exchanged. Throws StartupError,
// ToolError with what to do.
ExitCode renew_secrets(const Context& context, const std::string& plan);

}  // namespace cardvault::provisioning
