// secret.verify: is this the password, or the quick code? Counted before anything can be seen of
// the answer.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "vault/core/operation.h"

namespace cardvault::core {

// As otp.verify: prepare() does the same work, Argon2id and one decryption, whoever the subject is
// and whether there is a secret or not; apply() counts and compares, alone. While a lock holds
// there is no work and nothing is counted. A right try of a row whose cost is not the settings' any
// more puts one in its place that has it.
class SecretVerifyOperation final : public Operation {
 public:
  SecretVerifyOperation(Services& services, Authorized<SecretVerify> request);

  [[nodiscard]] bool slow() const override { return true; }
  void prepare(Reader& reader) override;
  [[nodiscard]] bool has_effect() const override { return !failure_; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  [[nodiscard]] base::Result<void> make_ready(Reader& reader);
  [[nodiscard]] base::Result<void> derive(const SecretRow& row, const InternalId& owner);
  [[nodiscard]] base::Result<void> decide(Transaction& tx, Event& event);
  [[nodiscard]] bool as_prepared(const std::optional<SecretRow>& now) const noexcept;
  [[nodiscard]] bool finishes() const override { return verified_; }
  void finish() override;
  [[nodiscard]] base::Result<std::string> sign_receipt();
  void committed() override;
  [[nodiscard]] Answer take_answer() override;

  Authorized<SecretVerify> request_in_;
  std::shared_ptr<const Settings> settings_;
  CustomerRow customer_;               // as prepare() saw it; row 0: none
  std::optional<SecretRow> row_;       // as prepare() saw it
  base::SecretBuffer kept_, given_;    // Argon2id outputs
  std::optional<SecretRow> upgraded_;  // at the settings' cost, where the row's is another
  bool verified_ = false;
  std::int64_t verified_ms_ = 0;
  std::string_view alarm_;
  std::optional<Failure> failure_;
  std::string receipt_;
};

}  // namespace cardvault::core
