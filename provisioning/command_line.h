// The command line of `cardvault` (cardvault(1)).
#pragma once

#include "provisioning/context.h"

namespace cardvault::provisioning {

// Parses and runs one command; returns the process's exit code. Catches everything a command
// throws; its message goes to stderr.
[[nodiscard]] int run(int argc, const char* const* argv, Context context);

}  // namespace cardvault::provisioning
