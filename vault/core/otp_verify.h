// otp.verify: is this the code?
#pragma once

#include "vault/core/attempt.h"

namespace cardvault::core {

// An attempt. Absent, expired, superseded, used, wrong code and wrong context are one answer; the
// log alone has the reason.
class OtpVerifyOperation final : public AttemptOperation {
 public:
  OtpVerifyOperation(Services& services, Authorized<OtpVerify> request)
      : AttemptOperation(services), request_in_(std::move(request)) {}

 private:
  [[nodiscard]] const Principal& principal() const override { return request_in_.principal(); }
  [[nodiscard]] Event describe() const override;
  [[nodiscard]] base::Result<void> check();
  [[nodiscard]] base::Result<void> make_ready(Reader& reader) override;
  [[nodiscard]] base::Result<void> decide(Transaction& tx, Event& event) override;
  void claim(Claims& claims) const override;

  Authorized<OtpVerify> request_in_;
  bool purpose_known_ = false;
  CustomerRow customer_;  // as prepare() saw it; row 0: none
  InternalId code_id_{};  // of the code that mac_ was made for; zero: there was none
  Mac mac_{};             // of the code that was sent
};

}  // namespace cardvault::core
