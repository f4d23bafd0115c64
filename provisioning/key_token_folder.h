// The folder that a module keeps its token in.
#pragma once

#include <string>

#include "hsm/token_config.h"

namespace cardvault::provisioning {

// The folder that is copied, changed and exchanged, absolute; "" where the module keeps its token
// elsewhere (a network HSM) or changes it in transactions of its own (NSS): those are changed in
// place. Throws ToolError(kLocal) for a SoftHSM whose folder can't be found out.
[[nodiscard]] std::string token_folder(const hsm::TokenConfig& config);

// Arguments of C_Initialize with which the token may be written: without NSS's flag readOnly, which
// the daemon's configuration has.
[[nodiscard]] std::string writable_init_args(const std::string& init_args);

}  // namespace cardvault::provisioning
