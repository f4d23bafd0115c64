// `key clone`: the vault's keys on an HSM that stands by, from the custodians' backup.
#pragma once

#include "provisioning/context.h"

namespace cardvault::provisioning {

struct CloneOptions {
  unsigned to = 2;  // the HSM's place in [hsm], from 2
};

// Brings every symmetric key of the register that this HSM lacks, out of custody/wrapped-keys and
// under the backup key that K custodians enter, and waits until the vault has taken the HSM up.
// Needs nothing of the first HSM. Killed at any moment, it is run again. Throws ToolError or
// StartupError with what to do.
ExitCode clone_keys(const Context& context, const CloneOptions& options);

}  // namespace cardvault::provisioning
