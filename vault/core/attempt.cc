#include "vault/core/attempt.h"

namespace cardvault::core {

using base::Code;

void AttemptOperation::prepare(Reader& reader) {
  note_keys();
  settings_ = services_.settings.load();
  failure_.reset();
  verified_ms_.reset();
  alarm_ = {};
  if (auto ready = make_ready(reader); !ready) failure_ = failure_of(ready.error());
}

bool AttemptOperation::refused(const CustomerRow& customer, const AttemptGuard& guard) {
  failure_ = customer.frozen ? Failure{Code::kCustomerFrozen, 0} : guard.refusal();
  return failure_.has_value();
}

base::Result<void> AttemptOperation::count_wrong(Transaction& tx, AttemptGuard& guard, Event& event,
                                                 std::string_view reason) {
  event.details.emplace_back("reason", reason);
  auto counted = guard.count_failure(tx);
  if (!counted) return std::unexpected(counted.error());
  failure_ = *counted;
  if (!guard.lock().empty()) event.details.emplace_back("lock", guard.lock());
  alarm_ = guard.alarm();
  return {};
}

base::Result<void> AttemptOperation::count_right(Transaction& tx, AttemptGuard& guard,
                                                 std::int64_t now_ms) {
  verified_ms_ = now_ms;
  return guard.reset(tx);
}

base::Result<void> AttemptOperation::apply(Transaction& tx, EventSink& events) {
  if (auto ok = keys_unchanged(); !ok) return ok;
  Event e = describe();
  if (!failure_) {
    if (auto decided = decide(tx, e); !decided) {
      // An error would fail the whole group: one damaged row stops nobody else.
      if (decided.error().code != Code::kRecordDamaged) return decided;
      failure_ = failure_of(decided.error());
    }
  }
  if (failure_) e.outcome = base::code_name(failure_->code);
  events.add(e);
  if (!alarm_.empty()) {
    Event alarm = event(principal(), "alarm");
    alarm.outcome = alarm_;
    events.add(alarm);
  }
  return {};
}

void AttemptOperation::committed() {
  if (!alarm_.empty()) services_.alarm_raised(alarm_);
}

base::Result<std::string> AttemptOperation::sign_receipt() {
  const std::int64_t spend_ms = std::int64_t{settings_->otp.spend_s} * 1000;
  auto claims = Claims::begin(services_, *verified_ms_, *verified_ms_ + spend_ms);
  if (!claims) return std::unexpected(claims.error());
  claim(*claims);
  return services_.sealer.sign("cardvault-receipt+jwt", std::move(*claims).take());
}

void AttemptOperation::finish() {
  auto receipt = sign_receipt();
  if (receipt) {
    receipt_ = std::move(*receipt);
  } else {
    failure_ = failure_of({Code::kHsmUnavailable, "sign receipt"});
  }
}

Answer AttemptOperation::take_answer() {
  if (failure_) return *failure_;
  return VerifiedAnswer{std::move(receipt_)};
}

}  // namespace cardvault::core
