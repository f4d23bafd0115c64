// What vaults write into an event as what was done and how it ended, so that a name that none has
// is told from one that did not happen.
#pragma once

#include <string>
#include <string_view>

namespace cardvault::auditor {

// "key.destroy", or "key.*" for all that begin so. Each act of a ceremony is an operation.
[[nodiscard]] bool is_operation(std::string_view name);
// "ok", "refused" for all others, the code of a refusal, the name of an alarm, or why strangers
// were turned away.
[[nodiscard]] bool is_outcome(std::string_view name);
// All of them, for people.
[[nodiscard]] std::string operations();
[[nodiscard]] std::string outcomes();

}  // namespace cardvault::auditor
