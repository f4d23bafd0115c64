#include "vault/base/secret.h"

#include <array>

namespace cardvault::base {

[[gnu::noinline]] void wipe_stack() noexcept {
  std::array<std::uint8_t, 8192> below;  // NOLINT: uninitialised on purpose, it is overwritten
  wipe(below.data(), below.size());
}

}  // namespace cardvault::base
