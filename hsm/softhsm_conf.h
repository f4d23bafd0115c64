// Where SoftHSM keeps its tokens.
#pragma once

#include <string>

#include "hsm/token_config.h"

namespace cardvault::hsm {

// The softhsm2.conf(5) that the module will read: the configured one, else that of SOFTHSM2_CONF,
// else Debian's.
[[nodiscard]] std::string softhsm_conf_of(const TokenConfig& config);

// "directories.tokendir" of a softhsm2.conf(5); "" when the file can't be read or names none.
[[nodiscard]] std::string folder_of_softhsm_conf(const std::string& softhsm_conf);

}  // namespace cardvault::hsm
