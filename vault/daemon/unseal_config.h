// [unseal]: where the token's PIN comes from, and how custodians are looked after.
#pragma once

#include <cstdint>
#include <string>

namespace cardvault::daemon {

struct UnsealConfig {
  bool custodians = false;     // else the PIN is in hsm.token's pin-source
  bool survive_crash = false;  // the PIN also rests with the service manager, until a reboot
  std::string custody_dir;     // transcript.N of the ceremony: which shares there are
  std::uint32_t drill_warning_days = 180;
  friend bool operator==(const UnsealConfig&, const UnsealConfig&) = default;
};

}  // namespace cardvault::daemon
