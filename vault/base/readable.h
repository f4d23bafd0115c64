// Whether a file that somebody named can be read, said so that they know what to do.
#pragma once

#include <string>

namespace cardvault::base {

// Throws StartupError "can't read PATH: No such file or directory: ADVICE".
void demand_readable(const std::string& path, const std::string& advice);

}  // namespace cardvault::base
