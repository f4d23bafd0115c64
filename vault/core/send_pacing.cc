#include "vault/core/send_pacing.h"

#include <utility>

namespace cardvault::core {

using base::Code;

SendPacing::SendPacing(GuardRow row, const OtpSettings& limits, std::int64_t now_ms)
    : row_(std::move(row)),
      resend_ms_(std::int64_t{limits.resend_s} * 1000),
      window_ms_(std::int64_t{limits.send_window_s} * 1000),
      sends_(limits.sends),
      now_ms_(now_ms) {
  if (now_ms_ - row_.window_start_ms >= window_ms_) {
    row_.window_start_ms = now_ms_;
    row_.window_used = 0;
  }
}

base::Result<SendPacing> SendPacing::load(Reader& reader, const GuardKey& who,
                                          std::string_view purpose, const OtpSettings& limits,
                                          std::int64_t now_ms) {
  auto row = read_guard(reader, who, otp_scope(purpose));
  if (!row) return std::unexpected(row.error());
  return SendPacing(std::move(*row), limits, now_ms);
}

std::optional<Failure> SendPacing::refusal() const {
  if (sends_ != 0 && row_.window_used >= sends_) {
    return Failure{Code::kSendLimitReached, wait_s(row_.window_start_ms + window_ms_, now_ms_)};
  }
  if (const std::int64_t next = row_.last_send_ms + resend_ms_;
      row_.last_send_ms != 0 && next > now_ms_) {
    return Failure{Code::kResendTooSoon, wait_s(next, now_ms_)};
  }
  return std::nullopt;
}

base::Result<void> SendPacing::charge(Transaction& tx, std::int64_t subject) {
  row_.subject = subject;
  row_.fp = {};
  row_.last_send_ms = now_ms_;
  ++row_.window_used;
  return tx.put_guard(row_);
}

}  // namespace cardvault::core
