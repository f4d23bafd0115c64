#include "vault/core/operation.h"

#include "vault/base/secret.h"

namespace cardvault::core {

using base::Code;

namespace {
constexpr int kMaxTries = 5;  // each conflict means that another request made progress
}

bool is_vault_failure(Code code) noexcept {
  switch (code) {
    case Code::kVaultUnavailable:
    case Code::kOverloaded:
    case Code::kSealed:
    case Code::kHsmUnavailable:
    case Code::kHsmPinRefused:
    case Code::kMechanismMissing:
    case Code::kKeyMissing:
    case Code::kKeyExhausted:
    case Code::kStoreFailed:
    case Code::kStorageFull:
    case Code::kClockSuspect:
    case Code::kConflict:
    case Code::kInternal:
      return true;
    default:
      return false;
  }
}

std::uint32_t retry_after_s(Code code) noexcept {
  if (code == Code::kStorageFull || code == Code::kClockSuspect || code == Code::kSealed) return 10;
  const bool passes = code == Code::kRateLimited || code == Code::kIdempotencyRunning;
  return passes || is_vault_failure(code) ? 1 : 0;
}

Failure failure_of(const base::Error& error) noexcept {
  if (error.code == Code::kRateLimited && error.number > 0) {
    return {error.code, static_cast<std::uint32_t>(error.number)};
  }
  return {error.code, retry_after_s(error.code)};
}

void Operation::done(base::Result<Receipt> receipt, std::unique_ptr<Commit> self) {
  if (receipt) {
    committed();
    covers(*receipt);
    if (finishes()) {
      receipt_ = *receipt;
      std::unique_ptr<Operation> rest(static_cast<Operation*>(self.release()));
      retry_(std::move(rest));
      return;
    }
    respond_(Response::with(*receipt, take_answer()));
  } else if (receipt.error().code == Code::kConflict && ++tries_ < kMaxTries) {
    std::unique_ptr<Operation> again(static_cast<Operation*>(self.release()));
    retry_(std::move(again));
    return;
  } else {
    abandon(failure_of(receipt.error()));
  }
  self.reset();
}

void Operation::finish_and_respond() {
  finish();
  respond_(Response::with(*receipt_, take_answer()));
}

void Operation::abandon(Failure failure) {
  switch (failure.code) {
    case Code::kVaultUnavailable:
    case Code::kSealed:
    case Code::kStoreFailed:
    case Code::kStorageFull:
      break;
    default:  // a lost race, or a full queue: the same to the caller
      failure = {Code::kOverloaded, 1};
  }
  if (respond_) respond_(Response::unaudited(failure));
}

base::Result<void> Operation::keys_unchanged() const noexcept {
  if (services_.keys.generation() == keys_) return {};
  return base::fail(Code::kConflict, "operation.keys");
}

Event Operation::event(const Principal& principal, std::string operation) const {
  Event event;
  event.time_ms = services_.clock.now_ms();
  event.actor = "client:" + principal.id();
  event.operation = std::move(operation);
  event.source = principal.source;
  event.gate = principal.gate;
  event.request = request_;
  return event;
}

}  // namespace cardvault::core
