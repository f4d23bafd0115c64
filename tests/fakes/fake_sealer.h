// core::Sealer whose messages can be read: for unit tests.
#pragma once

#include <mutex>
#include <optional>

#include "vault/core/sealer.h"

namespace cardvault::fakes {

// Thread-safe. sign() gives "jws TYPE CLAIMS", seal() "jwe RECIPIENT jws TYPE CLAIMS".
class FakeSealer final : public core::Sealer {
 public:
  // The next call fails with this.
  void fail_next(base::Error error);
  [[nodiscard]] std::uint64_t calls() const;  // signatures made or failed

  [[nodiscard]] base::Result<std::string> sign(std::string_view type,
                                               const base::SecretBuffer& claims) override;
  [[nodiscard]] base::Result<std::string> seal(const core::Recipient& to, std::string_view type,
                                               const base::SecretBuffer& claims,
                                               std::int64_t now_ms) override;
  [[nodiscard]] base::Result<std::string> jwks() override;

 private:
  [[nodiscard]] base::Result<void> begin();
  mutable std::mutex mutex_;
  std::optional<base::Error> failure_;
  std::uint64_t calls_ = 0;
};

// The text of a claim in such a message: claim(message, "code"); "" when there is none.
[[nodiscard]] std::string claim(std::string_view message, std::string_view name);

}  // namespace cardvault::fakes
