#include "vault/core/attempt_guard.h"

#include <algorithm>

#include "vault/base/check.h"

namespace cardvault::core {

using base::Code;

namespace {

constexpr std::int64_t kHourMs = 3'600'000;
}  // namespace

base::Result<GuardRow> read_guard(Reader& reader, const GuardKey& who, std::string_view scope) {
  auto row = reader.guard(who.subject, scope);
  if (!row) return std::unexpected(row.error());
  if (*row && (*row)->fp == who.fp) return std::move(**row);
  GuardRow fresh;
  fresh.subject = who.subject;
  fresh.scope = scope;
  fresh.fp = who.fp;
  return fresh;
}

GuardKey GuardKey::slot(const Fingerprint& name_fp) noexcept {
  const std::int64_t bits = std::int64_t{name_fp[0]} << 12 | std::int64_t{name_fp[1]} << 4 |
                            std::int64_t{name_fp[2]} >> 4;
  return {-1 - bits, name_fp};
}

GuardKey GuardKey::of(const CustomerRow& customer) noexcept {
  return customer.row != 0 ? GuardKey{customer.row, {}} : slot(customer.name_fp);
}

std::string otp_scope(std::string_view purpose) { return "otp:" + std::string(purpose); }

std::string secret_scope(SecretKind kind) {
  return "secret:" + std::string(secret_kind_name(kind));
}

std::uint32_t wait_s(std::int64_t until_ms, std::int64_t now_ms) noexcept {
  return until_ms <= now_ms ? 0 : static_cast<std::uint32_t>((until_ms - now_ms + 999) / 1000);
}

void forget_quiet(GuardRow& scope, const AttemptSettings& limits, std::int64_t now_ms) noexcept {
  if (scope.locked_until_ms > now_ms) return;
  const bool was_locked = scope.locked_until_ms != 0;
  const bool quiet = now_ms - scope.last_failure_ms >= std::int64_t{limits.lock_s} * 1000;
  if (!was_locked && !quiet) return;
  scope.failures = 0;
  scope.locked_until_ms = 0;
}

base::Result<AttemptGuard> AttemptGuard::load(Reader& reader, const GuardKey& who,
                                              std::string_view scope, const AttemptSettings& limits,
                                              std::int64_t now_ms) {
  AttemptGuard guard(limits, now_ms);
  auto row = read_guard(reader, who, scope);
  if (!row) return std::unexpected(row.error());
  guard.scope_ = std::move(*row);
  row = read_guard(reader, who, "");
  if (!row) return std::unexpected(row.error());
  guard.whole_ = std::move(*row);
  if (limits.failures_per_hour != 0) {
    row = read_guard(reader, {}, "");
    if (!row) return std::unexpected(row.error());
    guard.everybody_ = std::move(*row);
  }
  forget_quiet(guard.scope_, limits, now_ms);
  if (now_ms - guard.everybody_.window_start_ms >= kHourMs) {
    guard.everybody_.window_start_ms = now_ms;
    guard.everybody_.window_used = 0;
  }
  return guard;
}

std::optional<Failure> AttemptGuard::subject_refusal() const {
  if (limits_.subject_cap != 0 && whole_.failures >= limits_.subject_cap) {
    return Failure{Code::kSubjectBlocked, 0};
  }
  if (scope_.locked_until_ms > now_ms_) {
    return Failure{Code::kLocked, wait_s(scope_.locked_until_ms, now_ms_)};
  }
  return std::nullopt;
}

std::optional<Failure> AttemptGuard::refusal() const {
  if (auto refused = subject_refusal()) return refused;
  if (limits_.failures_per_hour != 0 && everybody_.window_used >= limits_.failures_per_hour) {
    return Failure{Code::kFailureBudgetExhausted,
                   wait_s(everybody_.window_start_ms + kHourMs, now_ms_)};
  }
  return std::nullopt;
}

base::Result<Failure> AttemptGuard::count_failure(Transaction& tx) {
  CARDVAULT_CHECK(!refusal());
  ++scope_.failures;
  ++whole_.failures;
  scope_.last_failure_ms = whole_.last_failure_ms = now_ms_;
  std::uint32_t left = limits_.tries - std::min(limits_.tries, scope_.failures);
  if (left == 0) {
    scope_.locked_until_ms = now_ms_ + std::int64_t{limits_.lock_s} * 1000;
    lock_ = "scope";
  }
  if (limits_.subject_cap != 0) {
    left = std::min(left, limits_.subject_cap - whole_.failures);
    if (whole_.failures == limits_.subject_cap) lock_ = "subject";
  }
  if (auto ok = tx.put_guard(scope_); !ok) return std::unexpected(ok.error());
  if (auto ok = tx.put_guard(whole_); !ok) return std::unexpected(ok.error());
  if (const std::uint32_t limit = limits_.failures_per_hour; limit != 0) {
    const std::uint32_t used = ++everybody_.window_used;
    if (used == limit) {
      alarm_ = "otp_failures_100";
    } else if (std::uint64_t{used} == (std::uint64_t{limit} * 4 + 4) / 5) {
      alarm_ = "otp_failures_80";
    }
    if (auto ok = tx.put_guard(everybody_); !ok) return std::unexpected(ok.error());
  }
  return Failure{Code::kVerificationFailed, 0, static_cast<std::int32_t>(left)};
}

base::Result<void> AttemptGuard::reset(Transaction& tx) {
  for (GuardRow* row : {&scope_, &whole_}) {
    if (row->last_failure_ms == 0) continue;
    row->failures = 0;
    row->locked_until_ms = 0;
    row->last_failure_ms = 0;
    if (auto ok = tx.put_guard(*row); !ok) return ok;
  }
  return {};
}

}  // namespace cardvault::core
