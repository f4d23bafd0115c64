// Where a plan's vault goes.
#pragma once

#include <string>

#include "provisioning/custody/plan.h"
#include "provisioning/init.h"

namespace cardvault::provisioning {

// What the plan says of a vault in `dir`. A rehearsal is the caller's own, on SoftHSM.
[[nodiscard]] InitOptions init_options(const custody::Plan& plan, const std::string& dir,
                                       bool rehearsal);

}  // namespace cardvault::provisioning
