// What an operator's act is about: names and values, as the tool sends them.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace cardvault::daemon {

using ActArguments = std::vector<std::pair<std::string, std::string>>;

}  // namespace cardvault::daemon
