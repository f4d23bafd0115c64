// Opening a sealed vault, and sealing it.
#pragma once

#include "provisioning/context.h"

namespace cardvault::provisioning {

// `unseal`: takes shares on the terminal, one custodian after the other, until the vault is open or
// nobody else is there; what was entered stays in the vault for 10 minutes. kRefused when a share
// was and the custodian left, kWaits when shares are missing yet.
ExitCode unseal(const Context& context);

// `seal`: returns once the vault answers as a sealed one.
ExitCode seal(const Context& context);

}  // namespace cardvault::provisioning
