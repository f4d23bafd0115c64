// What of a gate's words may go into the log. A taken gate can say anything; the log, which is kept
// for years, takes no free text.
#pragma once

#include <string>
#include <string_view>

#include "vault/core/identity.h"

namespace cardvault::daemon {

// A peer's address; "*" (many) and "" stay, anything else is "?".
[[nodiscard]] std::string logged_address(const std::string& source);
// One of the reasons that docs/gate-protocol.md lists, else "unnamed".
[[nodiscard]] std::string_view logged_reason(std::string_view reason) noexcept;
// A caller with its address and its certificate's serial (at most 64 hexadecimal digits, no card
// number among them, else "?") fit for the log.
[[nodiscard]] core::Caller logged_caller(core::Caller claimed);

}  // namespace cardvault::daemon
