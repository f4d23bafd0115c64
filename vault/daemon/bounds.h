// The bounds of what vault.toml may allow: gates' ceilings and clients' default quotas. Once a
// vault has custodians, a file that goes beyond what their quorum approved is refused.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vault/core/store.h"
#include "vault/daemon/act_arguments.h"
#include "vault/daemon/config.h"

namespace cardvault::daemon {

inline constexpr std::string_view kBoundsValue = "approved_bounds";

// As the arguments of "gate.approve", by name:
//   gate.web = clients=web,sms permissions=tokenize,cards.read socket=/run/… uid=991
//   reveal.client_per_day = 5000
[[nodiscard]] ActArguments bounds_of(const Config& config);

// What `wanted` allows beyond `approved`, a line each. A gate of another socket or uid is another
// gate; 0 is no limit.
[[nodiscard]] std::vector<std::string> beyond(const ActArguments& approved,
                                              const ActArguments& wanted);

// The approved ones for the same gates on another machine: with the sockets and uids of `there`.
[[nodiscard]] ActArguments moved_bounds(ActArguments approved, const ActArguments& there);

// As they stand in the store.
[[nodiscard]] std::string encode_bounds(const ActArguments& bounds);
[[nodiscard]] ActArguments decode_bounds(std::string_view text);

// Throws StartupError with what to do when the vault has custodians and `config` goes beyond what
// they approved, or the store can't be read.
void demand_approved_bounds(core::Reader& reader, const Config& config);

}  // namespace cardvault::daemon
