#include "vault/core/bound_encryption.h"

namespace cardvault::core {

namespace {
constexpr int kTries = 3;  // two tokens that take turns have other troubles
}

base::Result<Sealed> encrypt_bound(Services& services, KeyRef key,
                                   std::span<const std::uint8_t> plaintext,
                                   const std::function<std::vector<std::uint8_t>(Suite)>& aad) {
  for (int tries = 0; tries < kTries; ++tries) {
    if (auto used = services.invocations.use(key); !used) return std::unexpected(used.error());
    const Suite suite = services.crypto.suite(key);
    auto sealed = services.crypto.encrypt(key, plaintext, aad(suite));
    if (!sealed || sealed->suite == suite) return sealed;
  }
  return base::fail(base::Code::kHsmUnavailable, "bound_encryption.suite");
}

}  // namespace cardvault::core
