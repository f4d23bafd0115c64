// Events that wait to be published when a vault starts, though they were due before it ended.
#pragma once

#include <span>

#include "vault/store/event_rows.h"

namespace cardvault::daemon {

// A vault that ends well publishes everything, and one that is killed leaves what is a second old:
// where more waits, and no alarm among it says why, the published log was rolled back since.
// `waiting`, in their order, as they are in the databases.
[[nodiscard]] bool are_overdue(std::span<const store::LogLine> waiting);

}  // namespace cardvault::daemon
