// Secrets stay out of core dumps, debuggers and swap.
#pragma once

#include <ostream>

namespace cardvault::provisioning {

// For this process, from now on; in sanitizer builds it stays dumpable (sandbox::kConfined). Says
// on `err` when memory can't be locked, and what to do.
void keep_memory(std::ostream& err);

}  // namespace cardvault::provisioning
