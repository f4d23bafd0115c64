// The token's user PIN of a vault that its custodians unseal.
#pragma once

#include <functional>

#include "vault/base/secret.h"
#include "vault/daemon/config.h"

namespace cardvault::provisioning {

using AskPin = std::function<base::SecretText()>;

// Empty where a pin-source has the PIN. Else, when it is called, K custodians enter their shares on
// the terminal, each checked at once. Throws ToolError or StartupError with what to do, without a
// terminal too.
[[nodiscard]] AskPin pin_of_custodians(const daemon::Config& config);

}  // namespace cardvault::provisioning
