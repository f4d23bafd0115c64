// secret.enroll and secret.change: a new password or quick code.
#pragma once

#include <memory>
#include <optional>

#include "vault/core/confirmation.h"
#include "vault/core/index_fingerprints.h"
#include "vault/core/operation.h"

namespace cardvault::core {

// For SecretEnroll and SecretChange. A change, and by configuration an enrolment, spends a verified
// code of the subject in the same transaction. Wrong tries of the old secret stay counted: a lock
// is outlasted, not replaced. What can be refused without Argon2id is; apply() decides again.
template <class Request>
class SecretPutOperation final : public Operation {
 public:
  SecretPutOperation(Services& services, Authorized<Request> request);

  [[nodiscard]] bool slow() const override { return true; }
  void prepare(Reader& reader) override;
  [[nodiscard]] bool has_effect() const override { return !failure_; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  [[nodiscard]] base::Result<void> make_ready(Reader& reader);
  [[nodiscard]] base::Result<CustomerRow> find_subject(Reader& reader,
                                                       const IndexFingerprints& name);
  // Nothing, or kCustomerFrozen, kAlreadyEnrolled, kNotEnrolled.
  [[nodiscard]] base::Result<std::optional<Failure>> refusal(Reader& reader,
                                                             const CustomerRow& customer);
  [[nodiscard]] base::Result<void> decide(Transaction& tx, Event& event);
  [[nodiscard]] Answer take_answer() override;

  Authorized<Request> request_in_;
  std::shared_ptr<const Settings> settings_;
  CustomerRow customer_;
  std::optional<Confirmation> confirmation_;  // none: none is asked for
  std::int64_t created_ms_ = 0;               // of the secret that is there already
  SecretRow row_;
  std::optional<Failure> failure_;
};

extern template class SecretPutOperation<SecretEnroll>;
extern template class SecretPutOperation<SecretChange>;

}  // namespace cardvault::core
