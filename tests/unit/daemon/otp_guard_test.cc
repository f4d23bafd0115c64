// Attempts over time: locks, caps, budgets, slots, and what an operator does about them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/daemon/otp_calls.h"
#include "vault/core/attempt_status.h"
#include "vault/core/index_fingerprints.h"

namespace cardvault::daemon {
namespace {

constexpr const char* kSubject = "+77011234567";
constexpr const char* kAbsent = "+77010000009";
constexpr std::int64_t kLockMs = 900'000;

void lock(TestVault& vault, std::string_view subject, std::string_view code = "123456") {
  for (const char* left : {"2", "1", "0"}) {
    ASSERT_EQ(verify(vault, subject, code), std::string("verification_failed ") + left);
  }
}

core::Settings settings_with(TestVault& vault, void (*change)(core::Settings&)) {
  core::Settings settings = *vault.services.settings.load();
  change(settings);
  return settings;
}

// In a transaction of its own.
void commit(TestVault& vault, std::function<base::Result<void>(core::Transaction&)> act) {
  std::promise<void> done;
  vault.store->committer().submit(
      std::make_unique<Effect>([&](core::Transaction& tx, core::EventSink&) { return act(tx); },
                               [&](const base::Result<core::Receipt>& receipt) {
                                 EXPECT_TRUE(receipt);
                                 done.set_value();
                               }));
  done.get_future().wait();
}

core::Fingerprint fingerprint(TestVault& vault, std::string_view subject) {
  return core::name_fingerprints(vault.services, subject)->active;
}

core::AttemptStatus status(TestVault& vault, std::string_view subject) {
  auto reader = vault.store->make_reader();
  const auto fp = fingerprint(vault, subject);
  const auto row = *(*reader)->customer(fp);
  return *core::attempt_status(**reader, row ? core::GuardKey::of(*row) : core::GuardKey::slot(fp),
                               *vault.services.settings.load(), vault.clock.now);
}

TEST(OtpLock, LastsItsTimeToTheMillisecond) {
  TestVault vault;
  const std::string code = sealed_code(vault, kSubject);
  lock(vault, kSubject, wrong(code));
  EXPECT_EQ(verify(vault, kSubject, code), "locked 900");  // the right one too
  vault.clock.now += kLockMs - 1;
  EXPECT_EQ(verify(vault, kSubject, code), "locked 1");
  vault.clock.now += 1;
  const std::string next = sealed_code(vault, kSubject);
  EXPECT_EQ(verify(vault, kSubject, wrong(next)), "verification_failed 2");
  EXPECT_EQ(verify(vault, kSubject, next), "verified");
}

TEST(OtpLock, TheEventOfTheTryThatSetsItSaysSo) {
  TestVault vault;
  const std::string code = sealed_code(vault, kSubject);
  lock(vault, kSubject, wrong(code));
  EXPECT_EQ(verify(vault, kSubject, code), "locked 900");
  EXPECT_EQ(vault.count_in_log(R"("lock":"scope")"), 1U);
  const std::vector<std::string> lines = vault.log();
  const std::string& last_try = lines.at(lines.size() - 2);
  EXPECT_THAT(last_try, testing::HasSubstr(R"("details":{"reason":"mismatch","lock":"scope"})"));
  EXPECT_THAT(lines.back(), testing::HasSubstr(R"("outcome":"locked")"));
  EXPECT_THAT(lines.back(), testing::HasSubstr(R"("customer":")"));
}

TEST(OtpCap, TheEventOfTheTryThatBlocksSaysSo) {
  TestVault vault;
  vault.set(settings_with(vault, [](core::Settings& s) { s.attempts.subject_cap = 2; }));
  const std::string code = sealed_code(vault, kSubject);
  EXPECT_EQ(verify(vault, kSubject, wrong(code)), "verification_failed 1");
  EXPECT_EQ(vault.count_in_log(R"("lock":)"), 0U);
  EXPECT_EQ(verify(vault, kSubject, wrong(code)), "verification_failed 0");
  EXPECT_EQ(vault.count_in_log(R"("lock":"subject")"), 1U);
}

TEST(OtpLock, IsOfOneSubjectAndPurpose) {
  TestVault vault;
  const std::string payment = sealed_code(vault, kSubject, kPayment);
  const std::string other = sealed_code(vault, "+77010000002");
  lock(vault, kSubject);
  EXPECT_EQ(verify(vault, kSubject, payment, kPayment), "verified");
  EXPECT_EQ(verify(vault, "+77010000002", other), "verified");
}

TEST(OtpLock, NoNewCodeWhileItHolds) {
  TestVault vault;
  const std::string code = sealed_code(vault, kSubject);
  EXPECT_EQ(verify(vault, kSubject, wrong(code)), "verification_failed 2");
  vault.clock.now += 60'000;
  // A new code gives no new tries.
  const std::string next = sealed_code(vault, kSubject);
  EXPECT_EQ(verify(vault, kSubject, wrong(next)), "verification_failed 1");
  EXPECT_EQ(verify(vault, kSubject, wrong(next)), "verification_failed 0");
  vault.clock.now += 60'000;
  const auto answer = vault.call(TestVault::kWeb, seal_request(kSubject));
  EXPECT_EQ(outcome_text(answer), "locked 840");
}

TEST(OtpLock, SurvivesARestart) {
  TestVault vault;
  lock(vault, kAbsent);
  const std::string code = sealed_code(vault, kSubject);
  EXPECT_EQ(verify(vault, kSubject, wrong(code)), "verification_failed 2");
  vault.restart();
  EXPECT_EQ(verify(vault, kSubject, wrong(code)), "verification_failed 1");
  vault.restart();
  EXPECT_EQ(verify(vault, kSubject, wrong(code)), "verification_failed 0");
  vault.restart();
  EXPECT_EQ(verify(vault, kSubject, code), "locked 900");
  EXPECT_EQ(verify(vault, kAbsent, code), "locked 900");
}

TEST(OtpLock, FailuresThatWereQuietForALocksTimeAreForgotten) {
  TestVault vault;
  EXPECT_EQ(verify(vault, kAbsent, "123456"), "verification_failed 2");
  EXPECT_EQ(verify(vault, kAbsent, "123456"), "verification_failed 1");
  vault.clock.now += kLockMs - 1;
  EXPECT_EQ(verify(vault, kAbsent, "123456"), "verification_failed 0");
  vault.clock.now += kLockMs;
  EXPECT_EQ(verify(vault, kAbsent, "123456"), "verification_failed 2");
  EXPECT_EQ(status(vault, kAbsent).failures, 4U);  // the whole forgets nothing
  vault.clock.now += kLockMs;
  EXPECT_EQ(verify(vault, kAbsent, "123456"), "verification_failed 2");
}

TEST(OtpLock, ASuccessStartsTheCountAnew) {
  TestVault vault;
  const std::string code = sealed_code(vault, kSubject);
  EXPECT_EQ(verify(vault, kSubject, wrong(code)), "verification_failed 2");
  EXPECT_EQ(verify(vault, kSubject, wrong(code)), "verification_failed 1");
  EXPECT_EQ(verify(vault, kSubject, code), "verified");
  EXPECT_EQ(status(vault, kSubject).failures, 0U);
  EXPECT_EQ(verify(vault, kSubject, code), "verification_failed 2");
}

TEST(OtpLock, OutlivesARebootsRestartedLocks) {
  TestVault vault;
  lock(vault, kAbsent);
  vault.clock.now += kLockMs - 1000;
  const std::int64_t now = vault.clock.now;
  commit(vault, [&](core::Transaction& tx) { return tx.restart_locks(now, now + kLockMs); });
  EXPECT_EQ(verify(vault, kAbsent, "123456"), "locked 900");
  vault.clock.now += kLockMs;
  EXPECT_EQ(verify(vault, kAbsent, "123456"), "verification_failed 2");
}

TEST(OtpCap, BlocksUntilAnOperatorUnlocks) {
  TestVault vault;
  vault.set(settings_with(vault, [](auto& s) { s.attempts.subject_cap = 5; }));
  for (const std::string subject : {kSubject, kAbsent}) {
    const bool known = subject == kSubject;
    std::string code = known ? sealed_code(vault, subject) : "123456";
    lock(vault, subject, wrong(code));
    vault.clock.now += 30 * kLockMs;
    if (known) code = sealed_code(vault, subject);
    // What is left is what the cap leaves.
    EXPECT_EQ(verify(vault, subject, wrong(code)), "verification_failed 1");
    EXPECT_EQ(verify(vault, subject, wrong(code)), "verification_failed 0");
    EXPECT_EQ(verify(vault, subject, code), "subject_blocked");
    vault.clock.now += 30 * kLockMs;
    EXPECT_EQ(verify(vault, subject, code), "subject_blocked");
    EXPECT_EQ(verify(vault, subject, code, kPayment), "subject_blocked");
    EXPECT_EQ(outcome_text(vault.call(TestVault::kWeb, seal_request(subject))), "subject_blocked");
    EXPECT_TRUE(status(vault, subject).blocked);
    EXPECT_EQ(status(vault, subject).failures, 5U);
    const auto fp = fingerprint(vault, subject);
    commit(vault, [&](core::Transaction& tx) {
      const auto row = *tx.customer(fp);
      return core::unlock_attempts(tx, row ? core::GuardKey::of(*row) : core::GuardKey::slot(fp));
    });
    EXPECT_FALSE(status(vault, subject).blocked);
    code = sealed_code(vault, subject);
    EXPECT_EQ(verify(vault, subject, code), "verified");
  }
}

TEST(OtpCap, UnlockEndsALockAndNoPause) {
  TestVault vault;
  const std::string code = sealed_code(vault, kSubject);
  lock(vault, kSubject, wrong(code));
  const auto before = status(vault, kSubject);
  ASSERT_EQ(before.scopes.size(), 1U);
  EXPECT_EQ(before.scopes[0].scope, "otp:verify_login");
  EXPECT_EQ(before.scopes[0].failures, 3U);
  EXPECT_EQ(before.scopes[0].locked_until_ms, vault.clock.now + kLockMs);
  EXPECT_EQ(before.scopes[0].sends, 1U);
  commit(vault, [](core::Transaction& tx) { return core::unlock_attempts(tx, {1, {}}); });
  EXPECT_EQ(outcome_text(vault.call(TestVault::kWeb, seal_request(kSubject))),
            "resend_too_soon 60");
  EXPECT_EQ(verify(vault, kSubject, code), "verified");
}

TEST(FailureBudget, BoundsEverybodyTogetherAndRaisesAlarms) {
  TestVault vault;
  vault.set(settings_with(vault, [](auto& s) { s.attempts.failures_per_hour = 10; }));
  std::vector<std::string> alarms;
  vault.services.alarm_raised = [&](std::string_view what) { alarms.emplace_back(what); };
  const std::string code = sealed_code(vault, kSubject);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(alarms.size(), i < 8 ? 0U : 1U) << i;
    vault.clock.now += 1000;
    EXPECT_EQ(verify(vault, "+7701000010" + std::to_string(i), "123456"), "verification_failed 2");
  }
  EXPECT_EQ(alarms, (std::vector<std::string>{"otp_failures_80", "otp_failures_100"}));
  EXPECT_EQ(vault.count_in_log("\"op\":\"alarm\",\"outcome\":\"otp_failures_"), 2U);
  // Nothing is compared any more, for nobody; what isn't a try goes on.
  EXPECT_EQ(verify(vault, kSubject, code), "failure_budget_exhausted 3591");
  vault.clock.now += 60'000;
  const std::string next = sealed_code(vault, kSubject);
  vault.clock.now += 3'530'999;
  EXPECT_EQ(verify(vault, kAbsent, "123456"), "failure_budget_exhausted 1");
  vault.clock.now += 1;
  EXPECT_EQ(verify(vault, kAbsent, "123456"), "verification_failed 2");
  EXPECT_EQ(verify(vault, kSubject, sealed_code(vault, kSubject)), "verified");
  EXPECT_EQ(alarms.size(), 2U);
}

TEST(FailureBudget, CountsExactlyWithManyAtOnce) {
  TestVault vault;
  vault.set(settings_with(vault, [](auto& s) { s.attempts.failures_per_hour = 2; }));
  const auto outcomes = verify_in_parallel(vault, 20, kAbsent, "123456");
  EXPECT_EQ(std::ranges::count(outcomes, "failure_budget_exhausted 3600"), 18);
}

TEST(GuardSlots, AreBoundedAndTheirLastNames) {
  core::Fingerprint a{};
  a[0] = 0xab;
  a[1] = 0xcd;
  a[2] = 0xe1;
  core::Fingerprint b = a;
  b[2] = 0xef;  // the same leading 20 bits
  EXPECT_EQ(core::GuardKey::slot(a).subject, -1 - 0xabcde);
  EXPECT_EQ(core::GuardKey::slot(b).subject, core::GuardKey::slot(a).subject);
  core::Fingerprint last;
  last.fill(0xff);
  EXPECT_EQ(core::GuardKey::slot({}).subject, -1);
  EXPECT_EQ(core::GuardKey::slot(last).subject, -(1 << 20));

  TestVault vault;
  const core::AttemptSettings limits;
  const auto fail = [&](const core::Fingerprint& fp) {
    std::int32_t left = -2;
    commit(vault, [&](core::Transaction& tx) -> base::Result<void> {
      auto guard = core::AttemptGuard::load(tx, core::GuardKey::slot(fp), "otp:x", limits, 1000);
      auto counted = guard->count_failure(tx);
      left = counted->attempts_left;
      return {};
    });
    return left;
  };
  EXPECT_EQ(fail(a), 2);
  EXPECT_EQ(fail(a), 1);
  EXPECT_EQ(fail(b), 2);  // takes the slot
  EXPECT_EQ(fail(a), 2);
  auto reader = vault.store->make_reader();
  EXPECT_EQ((*(*reader)->guards(core::GuardKey::slot(a).subject)).size(), 2U);  // "" and "otp:x"
}

class Becoming : public testing::TestWithParam<bool> {};

// A subject that becomes known keeps its lock, by a code or by a card.
TEST_P(Becoming, KnownMovesTheSlotsCounters) {
  TestVault vault;
  lock(vault, kAbsent);
  if (GetParam()) {
    EXPECT_EQ(outcome_text(vault.call(TestVault::kWeb, seal_request(kAbsent, kPayment))), "ok");
  } else {
    static_cast<void>(vault.token("4111111111111111", kAbsent));
  }
  EXPECT_EQ(verify(vault, kAbsent, "123456"), "locked 900");
  EXPECT_EQ(status(vault, kAbsent).failures, 3U);
  auto reader = vault.store->make_reader();
  EXPECT_TRUE(
      (*(*reader)->guards(core::GuardKey::slot(fingerprint(vault, kAbsent)).subject)).empty());
  vault.clock.now += kLockMs;
  EXPECT_EQ(verify(vault, kAbsent, sealed_code(vault, kAbsent)), "verified");
}

INSTANTIATE_TEST_SUITE_P(Way, Becoming, testing::Bool(),
                         [](const auto& param) { return param.param ? "ByACode" : "ByACard"; });

TEST(GuardSlots, AnotherNamesCountersStayWhereTheyAre) {
  TestVault vault;
  const auto fp = fingerprint(vault, kAbsent);
  core::Fingerprint neighbour = fp;
  neighbour[15] ^= 1;
  const auto slot = core::GuardKey::slot(fp).subject;
  commit(vault, [&](core::Transaction& tx) {
    return tx.put_guard({slot, "otp:verify_login", neighbour, 2, 0, vault.clock.now, 0, 0, 0});
  });
  EXPECT_EQ(verify(vault, kAbsent, sealed_code(vault, kAbsent)), "verified");
  auto reader = vault.store->make_reader();
  const auto rows = *(*reader)->guards(slot);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].fp, neighbour);
  EXPECT_EQ(rows[0].failures, 2U);
}

}  // namespace
}  // namespace cardvault::daemon
