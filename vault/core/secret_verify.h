// secret.verify: is this the password, or the quick code?
#pragma once

#include <optional>

#include "vault/core/attempt.h"

namespace cardvault::core {

// An attempt, of which the work is Argon2id and one decryption. While a lock holds there is no work
// and nothing is counted. A right try of a row whose cost is not the settings' any more puts one in
// its place that has it.
class SecretVerifyOperation final : public AttemptOperation {
 public:
  SecretVerifyOperation(Services& services, Authorized<SecretVerify> request)
      : AttemptOperation(services), request_in_(std::move(request)) {}

  [[nodiscard]] bool slow() const override { return true; }

 private:
  [[nodiscard]] const Principal& principal() const override { return request_in_.principal(); }
  [[nodiscard]] Event describe() const override;
  [[nodiscard]] base::Result<void> make_ready(Reader& reader) override;
  [[nodiscard]] base::Result<void> derive(const SecretRow& row, const InternalId& owner);
  [[nodiscard]] base::Result<void> decide(Transaction& tx, Event& event) override;
  [[nodiscard]] bool as_prepared(const std::optional<SecretRow>& now) const noexcept;
  void claim(Claims& claims) const override;

  Authorized<SecretVerify> request_in_;
  CustomerRow customer_;               // as prepare() saw it; row 0: none
  std::optional<SecretRow> row_;       // as prepare() saw it
  base::SecretBuffer kept_, given_;    // Argon2id outputs
  std::optional<SecretRow> upgraded_;  // at the settings' cost, where the row's is another
};

}  // namespace cardvault::core
