// What the tool says when a token or its module failed.
#pragma once

#include <string>

#include "vault/base/result.h"

namespace cardvault::provisioning {

// Throws ToolError(kLocal): "WHAT: code in operation (CKR_…). Explanation", the latter two where
// the error came from the module.
[[noreturn]] void give_up(const std::string& what, const base::Error& error);

}  // namespace cardvault::provisioning
