// `key replace`: another audit-sign in the place of one that is gone from the token.
#pragma once

#include "provisioning/context.h"

namespace cardvault::provisioning {

// Makes the next audit-sign where the token has none yet, and asks the vault to use it: which hands
// out the action that custodians sign (kWaits), or does it with their signatures. Killed at any
// moment, it is run again: a key that was made is the one that custodians are asked about, and one
// that no run has made is destroyed and made anew. Throws
// ToolError or StartupError with what to do.
ExitCode replace_log_key(const Context& context);

}  // namespace cardvault::provisioning
