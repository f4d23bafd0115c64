// What a plan needs of the machine on which it is carried out.
#pragma once

#include <string>
#include <vector>

#include "provisioning/custody/plan.h"

namespace cardvault::provisioning {

// The accounts and the module of a plan that this machine lacks, a line each, with what to do.
[[nodiscard]] std::vector<std::string> missing_here(const custody::Plan& plan);

}  // namespace cardvault::provisioning
