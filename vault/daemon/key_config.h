// [keys] of vault.toml: how long keys are used, and how fast rows are moved off them.
#pragma once

#include <array>
#include <cstdint>

#include "vault/core/crypto.h"

namespace cardvault::daemon {

struct KeyConfig {
  // By purpose: how long a version may be the active one (NIST SP 800-57 part 1, 5.3.6; PCI DSS
  // 3.7.4); 0: no limit. In the order of KeyPurpose.
  std::array<std::uint32_t, core::kKeyPurposes> cryptoperiod_days{365, 730, 730,  365, 365,
                                                                  365, 365, 1095, 730};
  std::uint32_t rewrap_rows_per_s = 2000;  // 0: as fast as it goes
  std::uint32_t destroy_after_days = 7;

  [[nodiscard]] std::uint32_t days(core::KeyPurpose purpose) const noexcept {
    return cryptoperiod_days[static_cast<std::size_t>(purpose)];
  }
  friend bool operator==(const KeyConfig&, const KeyConfig&) = default;
};

}  // namespace cardvault::daemon
