// Wrong codes and secrets: counted exactly, locked at the limit, one discipline for all of them.
//
// Three counters, in the order in which they refuse: the subject as a whole (a cap that only a
// success or an operator resets), the subject in one scope (a few tries, then a lock), everybody
// together (failures an hour: bounds spraying over many subjects). A subject that is not stored is
// counted in a slot, so that it answers as a stored one does, in bounded space.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vault/core/settings.h"
#include "vault/core/store.h"

namespace cardvault::core {

// Whose attempts are counted: GuardRow::subject, and in a slot whose it is.
struct GuardKey {
  std::int64_t subject = 0;
  Fingerprint fp{};  // in a slot; all zero for a stored subject

  // One of 2^20 slots, by the fingerprint's leading 20 bits. Two names of one slot take it from
  // each other (one in a million tries of others): neither has a code or secret to be guessed.
  [[nodiscard]] static GuardKey slot(const Fingerprint& name_fp) noexcept;
  // Of a customer as it stands in the transaction: its row, or the slot when it is not stored.
  [[nodiscard]] static GuardKey of(const CustomerRow& customer) noexcept;
};

// The row of one key and scope, or a fresh one. A slot that is another name's counts as fresh.
[[nodiscard]] base::Result<GuardRow> read_guard(Reader& reader, const GuardKey& who,
                                                std::string_view scope);

// A scope's failures start at 0 again when its lock is over, or when it was quiet for as long as a
// lock lasts: whoever stops short of the limit and waits gains no more tries than by being locked.
// The subject's whole never forgets.
void forget_quiet(GuardRow& scope, const AttemptSettings& limits, std::int64_t now_ms) noexcept;

[[nodiscard]] std::string otp_scope(std::string_view purpose);  // "otp:PURPOSE"
[[nodiscard]] std::string secret_scope(SecretKind kind);        // "secret:KIND"

// The state of one subject and scope at one time. Use in apply():
//
//   auto guard = AttemptGuard::load(tx, GuardKey::of(customer), otp_scope(purpose), limits, now);
//   if (auto refused = guard->refusal()) …answer it; nothing is compared or counted
//   right ? guard->reset(tx) : guard->count_failure(tx)
//   if (!guard->alarm().empty()) …an "alarm" event, and Services::alarm_raised once durable
//
// On a Reader, in prepare(), refusal() is a hint that saves work. Not thread-safe.
class AttemptGuard {
 public:
  // Reads at most three rows. Errors: those of the reader.
  [[nodiscard]] static base::Result<AttemptGuard> load(Reader& reader, const GuardKey& who,
                                                       std::string_view scope,
                                                       const AttemptSettings& limits,
                                                       std::int64_t now_ms);

  // Why a try is refused now: kSubjectBlocked, kLocked (Retry-After), kFailureBudgetExhausted
  // (Retry-After).
  [[nodiscard]] std::optional<Failure> refusal() const;
  // The same without everybody's budget: for what is not a try (a new code).
  [[nodiscard]] std::optional<Failure> subject_refusal() const;

  // A wrong try: the answer, kVerificationFailed with the attempts left; at 0 the lock has begun.
  // Requires that refusal() was empty.
  [[nodiscard]] base::Result<Failure> count_failure(Transaction& tx);
  // A right try: the scope's failures and the subject's whole start at 0 again. Writes nothing when
  // they do already.
  [[nodiscard]] base::Result<void> reset(Transaction& tx);

  // What the failure just counted set: "scope", the attempts of this purpose or kind are used up;
  // "subject", the subject as a whole is blocked; else empty.
  [[nodiscard]] std::string_view lock() const noexcept { return lock_; }
  // "otp_failures_80" or "otp_failures_100" when the failure just counted brought everybody's
  // there, else empty.
  [[nodiscard]] std::string_view alarm() const noexcept { return alarm_; }

 private:
  AttemptGuard(const AttemptSettings& limits, std::int64_t now_ms)
      : limits_(limits), now_ms_(now_ms) {}

  AttemptSettings limits_;
  std::int64_t now_ms_;
  GuardRow scope_, whole_, everybody_;
  std::string_view lock_, alarm_;
};

// Seconds from now until then, rounded up: what Retry-After says.
[[nodiscard]] std::uint32_t wait_s(std::int64_t until_ms, std::int64_t now_ms) noexcept;

}  // namespace cardvault::core
