// One act in the vault, from a command that works with the token itself in between, or writes files
// of its caller's afterwards.
#pragma once

#include <string>

#include "provisioning/context.h"

namespace cardvault::provisioning {

// As ask() on a line of its own, but in a child process: where no vault runs, the process that
// stands in for it becomes the data's owner for good and has the module loaded, and this one may do
// neither. REQUIRES a single thread, and no module initialised in this process (PKCS#11 and fork,
// DESIGN 4.2 trap 9). Throws ToolError as Context::open and Backend::run do.
[[nodiscard]] wire::AdminAnswer ask_apart(const Context& context, const std::string& verb,
                                          Arguments arguments, base::SecretBuffer blob = {});

// As act(), for what may take the custodians' word: the action's file is the caller's to write.
ExitCode act_apart(const Context& context, const std::string& verb, Arguments arguments);

}  // namespace cardvault::provisioning
