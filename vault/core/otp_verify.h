// otp.verify: is this the code? Counted before anything can be seen of the answer.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "vault/core/operation.h"

namespace cardvault::core {

// prepare() does the same reads and MACs whoever the subject is and whether there is a code or not.
// apply() counts, compares and consumes, alone, so a hundred parallel right tries are one success,
// and a hundred wrong ones lock at the limit. Absent, expired, superseded, used, wrong code and
// wrong context are one answer; the log alone has the reason. The receipt is signed in finish(),
// once the outcome is durable: the time before tells nothing.
class OtpVerifyOperation final : public Operation {
 public:
  OtpVerifyOperation(Services& services, Authorized<OtpVerify> request);

  void prepare(Reader& reader) override;
  [[nodiscard]] bool has_effect() const override { return !failure_; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  [[nodiscard]] base::Result<void> check();
  [[nodiscard]] base::Result<void> make_ready(Reader& reader);
  [[nodiscard]] base::Result<void> decide(Transaction& tx, Event& event);
  [[nodiscard]] bool finishes() const override { return verified_; }
  void finish() override;
  [[nodiscard]] base::Result<std::string> sign_receipt();
  void committed() override;
  [[nodiscard]] Answer take_answer() override;

  Authorized<OtpVerify> request_in_;
  std::shared_ptr<const Settings> settings_;
  bool purpose_known_ = false;
  CustomerRow customer_;  // as prepare() saw it; row 0: none
  InternalId code_id_{};  // of the code that mac_ was made for; zero: there was none
  Mac mac_{};             // of the code that was sent
  bool verified_ = false;
  std::int64_t verified_ms_ = 0;
  std::string_view alarm_;
  std::optional<Failure> failure_;
  std::string receipt_;
};

}  // namespace cardvault::core
