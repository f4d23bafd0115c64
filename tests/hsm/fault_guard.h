// Puts the fault queue in front of every call that the daemon makes.
#pragma once

#include "hsm/pkcs11.h"
#include "tests/hsm/fault_queue.h"

namespace cardvault::hsm::testing {

// Replaces the calls of `outer` by ones that ask `queue` first and then go on to `inner`. Both must
// live as long as the module.
void guard(CK_FUNCTION_LIST& outer, const CK_FUNCTION_LIST& inner, FaultQueue& queue);

// The queue in a file that another process writes, e.g. $CARDVAULT_SHIM_FAULTS. nullptr: not there.
[[nodiscard]] FaultQueue* map_queue(const char* path);

}  // namespace cardvault::hsm::testing
