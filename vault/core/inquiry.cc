#include "vault/core/inquiry.h"

namespace cardvault::core {

base::Result<void> WhoamiOperation::apply(Transaction& /*tx*/, EventSink& events) {
  events.add(event(request_in_.principal(), "whoami"));
  return {};
}

Answer WhoamiOperation::take_answer() {
  const Principal& principal = request_in_.principal();
  const auto settings = services_.settings.load();
  const std::int64_t now = services_.clock.now_ms();
  RevealLimits limits = settings->reveal;
  if (principal.client->reveals_per_hour != 0) {
    limits.client_per_hour = principal.client->reveals_per_hour;
  }
  if (principal.client->reveals_per_day != 0) {
    limits.client_per_day = principal.client->reveals_per_day;
  }
  WhoamiAnswer answer;
  answer.client = principal.id();
  answer.permissions = principal.permissions.names();
  answer.purposes = principal.client->purposes;
  if (principal.permissions.has(Permission::kDetokenize)) {
    constexpr std::int64_t kHourMs = 3'600'000;
    constexpr std::int64_t kDayMs = 24 * kHourMs;
    const auto left = services_.reveals.left(principal.id(), limits, now);
    if (limits.client_per_hour != 0) {
      answer.quotas.push_back(
          {"reveals_per_hour", limits.client_per_hour, left.hour, (now / kHourMs + 1) * kHourMs});
    }
    if (limits.client_per_day != 0) {
      answer.quotas.push_back(
          {"reveals_per_day", limits.client_per_day, left.day, (now / kDayMs + 1) * kDayMs});
    }
  }
  return answer;
}

base::Result<void> MetricsOperation::apply(Transaction& /*tx*/, EventSink& events) {
  events.add(event(request_in_.principal(), "metrics"));
  return {};
}

Answer MetricsOperation::take_answer() { return MetricsAnswer{services_.metrics_text()}; }

base::Result<void> JwksOperation::apply(Transaction& /*tx*/, EventSink& events) {
  Event e = event(request_in_.principal(), "jwks");
  if (!keys_) e.outcome = base::code_name(keys_.error().code);
  events.add(e);
  return {};
}

Answer JwksOperation::take_answer() {
  if (!keys_) return failure_of(keys_.error());
  return JwksAnswer{std::move(*keys_)};
}

base::Result<void> RefusalOperation::apply(Transaction& /*tx*/, EventSink& events) {
  event_.request = request_;
  events.add(event_);
  return {};
}

}  // namespace cardvault::core
