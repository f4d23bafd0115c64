// How often a subject is sent codes of one purpose: a pause between two, and a number per window.
#pragma once

#include <optional>

#include "vault/core/attempt_guard.h"

namespace cardvault::core {

// The sends of one subject and purpose at one time. They stand in the row that counts its wrong
// attempts, and neither touches the other's fields. Not thread-safe.
class SendPacing {
 public:
  // Errors: those of the reader. On a Reader it is a hint.
  [[nodiscard]] static base::Result<SendPacing> load(Reader& reader, const GuardKey& who,
                                                     std::string_view purpose,
                                                     const OtpSettings& limits,
                                                     std::int64_t now_ms);
  // Why no code is sent now: kResendTooSoon, kSendLimitReached, each with Retry-After.
  [[nodiscard]] std::optional<Failure> refusal() const;
  // One more sent. `subject` is the row, also of one that was only just stored.
  [[nodiscard]] base::Result<void> charge(Transaction& tx, std::int64_t subject);

 private:
  SendPacing(GuardRow row, const OtpSettings& limits, std::int64_t now_ms);
  GuardRow row_;
  std::int64_t resend_ms_;
  std::int64_t window_ms_;
  std::uint32_t sends_;
  std::int64_t now_ms_;
};

}  // namespace cardvault::core
