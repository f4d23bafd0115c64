// otp.cancel: the code of a subject and purpose is void, entered already or not.
#pragma once

#include <memory>
#include <optional>

#include "vault/core/index_fingerprints.h"
#include "vault/core/operation.h"

namespace cardvault::core {

// Done whether there was a code or not; counters and locks stay as they are.
class OtpCancelOperation final : public Operation {
 public:
  OtpCancelOperation(Services& services, Authorized<OtpCancel> request)
      : Operation(services), request_in_(std::move(request)) {}
  void prepare(Reader& reader) override;
  [[nodiscard]] bool has_effect() const override { return !failure_; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  [[nodiscard]] base::Result<void> make_ready();
  [[nodiscard]] base::Result<void> void_code(Transaction& tx, Event& event);
  [[nodiscard]] Answer take_answer() override;
  Authorized<OtpCancel> request_in_;
  bool purpose_known_ = false;
  IndexFingerprints name_;
  std::optional<Failure> failure_;
};

}  // namespace cardvault::core
