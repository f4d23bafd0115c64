// otp.seal: a new one-time code for a subject, sealed to who delivers it.
#pragma once

#include <memory>
#include <optional>

#include "vault/core/idempotent.h"
#include "vault/core/operation.h"
#include "vault/core/send_pacing.h"
#include "vault/core/subject.h"

namespace cardvault::core {

// The code is made in the vault and leaves it once: in the message sealed to the recipient, or in
// the answer of a client that may have it in the clear. The store has its MAC alone. A new code
// takes the place of the older one of its subject and purpose.
//
// Locks, freezes and pacing are looked at in prepare(), so that a refusal costs no signature, and
// decided in apply(), exactly.
class OtpSealOperation final : public Operation {
 public:
  OtpSealOperation(Services& services, Authorized<OtpSeal> request);

  void prepare(Reader& reader) override;
  [[nodiscard]] bool has_effect() const override { return !failure_ && !replayed_; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  [[nodiscard]] base::Result<void> check();
  [[nodiscard]] base::Result<void> check_recipient();
  [[nodiscard]] base::Result<void> make_ready(Reader& reader);
  [[nodiscard]] base::Result<void> make(std::int64_t now_ms);
  [[nodiscard]] base::Result<std::string> seal(const base::SecretText& code);
  [[nodiscard]] base::Result<std::optional<Failure>> refusal(Reader& reader,
                                                             const CustomerRow& customer);
  [[nodiscard]] base::Result<void> issue(Transaction& tx);
  void record(EventSink& events);
  void committed() override;
  [[nodiscard]] Answer take_answer() override;

  Authorized<OtpSeal> request_in_;
  std::shared_ptr<const Settings> settings_;
  const OtpPurpose* purpose_ = nullptr;  // of settings_; null: no such purpose
  std::shared_ptr<const Recipient> recipient_;
  bool well_formed_ = false;  // the request's form was checked: the log may name its parts
  LookUp look_ = LookUp::kCacheFirst;
  Idempotent idempotent_;
  CustomerRow customer_;
  CodeRow code_;
  std::optional<SendPacing> pacing_;
  Answer answer_;
  std::optional<Failure> failure_;
  std::optional<Answer> replayed_;
};

}  // namespace cardvault::core
