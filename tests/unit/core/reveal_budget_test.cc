#include "vault/core/reveal_budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>

#include "vault/core/spent_budgets.h"

namespace cardvault::core {
namespace {

constexpr std::int64_t kHourMs = 3600 * 1000;
constexpr std::int64_t kDayMs = 24 * kHourMs;
constexpr std::int64_t kMidnight = 20'779 * kDayMs;

TokenId card(std::uint8_t n) {
  TokenId id;
  id.bytes.back() = n;
  return id;
}

// Charges `count` times on cards of their own and returns the last answer.
RevealCharge charge(RevealBudget& budget, const RevealLimits& limits, std::int64_t now_ms,
                    int count = 1) {
  RevealCharge last;
  for (int i = 0; i < count; ++i) {
    last = budget.charge("web", card(static_cast<std::uint8_t>(i)), limits, now_ms);
  }
  return last;
}

TEST(RevealBudget, RestoredVaultHasSpentThisHourAndThisDay) {
  RevealBudget budget;
  const std::vector<std::string> clients = {"web", "unlimited"};
  ASSERT_TRUE(budget.restore(spent_reveal_budgets(clients, kMidnight)));
  const RevealLimits hourly{.client_per_hour = std::numeric_limits<std::uint32_t>::max() / 4};
  const RevealLimits daily{.client_per_day = 5000};
  EXPECT_EQ(charge(budget, hourly, kMidnight).verdict, RevealVerdict::kExhausted);
  EXPECT_EQ(charge(budget, hourly, kMidnight + kHourMs).verdict, RevealVerdict::kOk);
  EXPECT_EQ(charge(budget, daily, kMidnight + kDayMs - 1).verdict, RevealVerdict::kExhausted);
  EXPECT_EQ(charge(budget, daily, kMidnight + kDayMs).verdict, RevealVerdict::kOk);
  EXPECT_EQ(budget.charge("unlimited", card(1), {}, kMidnight).verdict, RevealVerdict::kOk);
  EXPECT_EQ(budget.charge("new", card(1), daily, kMidnight).verdict, RevealVerdict::kOk);
  budget.reset("web");
  EXPECT_EQ(charge(budget, daily, kMidnight).verdict, RevealVerdict::kOk);
}

TEST(RevealBudget, AlarmsOnceAt80AndOnceAt100Percent) {
  RevealBudget budget;
  const RevealLimits limits{.client_per_hour = 10};
  std::vector<RevealVerdict> verdicts;
  for (int i = 0; i < 11; ++i) verdicts.push_back(charge(budget, limits, kMidnight).verdict);
  using enum RevealVerdict;
  EXPECT_EQ(verdicts,
            (std::vector{kOk, kOk, kOk, kOk, kOk, kOk, kOk, kAlarm80, kOk, kAlarm100, kExhausted}));
}

TEST(RevealBudget, RoundsTheAlarmUpAndSkipsItWhereItMeetsTheLimit) {
  RevealBudget one;
  EXPECT_EQ(charge(one, {.client_per_hour = 1}, kMidnight).verdict, RevealVerdict::kAlarm100);
  RevealBudget seven;  // 80 % of 7 is 5.6
  EXPECT_EQ(charge(seven, {.client_per_hour = 7}, kMidnight, 5).verdict, RevealVerdict::kOk);
  EXPECT_EQ(charge(seven, {.client_per_hour = 7}, kMidnight).verdict, RevealVerdict::kAlarm80);
}

TEST(RevealBudget, OpensAgainWithTheNextHourOfUtc) {
  RevealBudget budget;
  const RevealLimits limits{.client_per_hour = 2};
  const std::int64_t now = kMidnight + 59 * 60 * 1000;
  charge(budget, limits, now, 2);
  const RevealCharge refused = charge(budget, limits, now);
  EXPECT_EQ(refused.verdict, RevealVerdict::kExhausted);
  EXPECT_EQ(refused.retry_after_s, 60U);
  EXPECT_EQ(charge(budget, limits, kMidnight + kHourMs - 1).retry_after_s, 1U);
  EXPECT_EQ(charge(budget, limits, kMidnight + kHourMs).verdict, RevealVerdict::kOk);
}

TEST(RevealBudget, HoldsTheDayLimitAcrossHours) {
  RevealBudget budget;
  const RevealLimits limits{.client_per_hour = 3, .client_per_day = 5};
  EXPECT_EQ(charge(budget, limits, kMidnight, 3).verdict, RevealVerdict::kAlarm100);
  EXPECT_EQ(charge(budget, limits, kMidnight + kHourMs).verdict, RevealVerdict::kAlarm80);
  EXPECT_EQ(charge(budget, limits, kMidnight + kHourMs).verdict, RevealVerdict::kAlarm100);
  const RevealCharge refused = charge(budget, limits, kMidnight + kHourMs);
  EXPECT_EQ(refused.verdict, RevealVerdict::kExhausted);
  EXPECT_EQ(refused.retry_after_s, 23U * 3600);
  EXPECT_EQ(charge(budget, limits, kMidnight + kDayMs).verdict, RevealVerdict::kOk);
}

TEST(RevealBudget, FreezesAtThreeTimesTheLimit) {
  RevealBudget budget;
  const RevealLimits limits{.client_per_hour = 4};
  EXPECT_EQ(charge(budget, limits, kMidnight, 11).verdict, RevealVerdict::kExhausted);
  EXPECT_EQ(charge(budget, limits, kMidnight).verdict, RevealVerdict::kFreeze);
  EXPECT_EQ(charge(budget, limits, kMidnight).verdict, RevealVerdict::kFreeze);
  budget.reset("web");
  EXPECT_EQ(charge(budget, limits, kMidnight).verdict, RevealVerdict::kOk);
}

TEST(RevealBudget, CountsRefusedAttemptsOfTheDayForAFreeze) {
  RevealBudget budget;
  const RevealLimits limits{.client_per_day = 2};
  EXPECT_EQ(charge(budget, limits, kMidnight, 5).verdict, RevealVerdict::kExhausted);
  EXPECT_EQ(charge(budget, limits, kMidnight + 5 * kHourMs).verdict, RevealVerdict::kFreeze);
}

TEST(RevealBudget, LimitsACardWithoutAlarm) {
  RevealBudget budget;
  const RevealLimits limits{.client_per_hour = 100, .card_per_day = 2};
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(budget.charge("web", card(1), limits, kMidnight).verdict, RevealVerdict::kOk);
  }
  const RevealCharge refused = budget.charge("other", card(1), limits, kMidnight);
  EXPECT_EQ(refused.verdict, RevealVerdict::kExhausted);
  EXPECT_EQ(refused.retry_after_s, 24U * 3600);
  EXPECT_EQ(budget.charge("web", card(2), limits, kMidnight).verdict, RevealVerdict::kOk);
  EXPECT_EQ(budget.charge("web", card(1), limits, kMidnight + kDayMs).verdict, RevealVerdict::kOk);
}

TEST(RevealBudget, KeepsClientsApartAndTellsWhatIsLeft) {
  RevealBudget budget;
  const RevealLimits limits{.client_per_hour = 3, .client_per_day = 10};
  charge(budget, limits, kMidnight, 5);  // two of them refused
  EXPECT_EQ(budget.left("web", limits, kMidnight).hour, 0U);
  EXPECT_EQ(budget.left("web", limits, kMidnight).day, 7U);
  EXPECT_EQ(budget.left("web", limits, kMidnight + kHourMs).hour, 3U);
  EXPECT_EQ(budget.left("other", limits, kMidnight).hour, 3U);
  EXPECT_EQ(budget.left("web", {}, kMidnight).day, std::numeric_limits<std::uint32_t>::max());
}

TEST(RevealBudget, HasNoLimitWhereNoneIsSet) {
  RevealBudget budget;
  EXPECT_EQ(charge(budget, {}, kMidnight, 1000).verdict, RevealVerdict::kOk);
}

TEST(RevealBudget, IsTheSameAfterReplayOfItsEvents) {
  RevealBudget live, rebuilt;
  const RevealLimits limits{.client_per_hour = 5, .client_per_day = 8, .card_per_day = 3};
  for (int i = 0; i < 40; ++i) {
    const std::int64_t now = kMidnight + i * kHourMs / 4;
    const TokenId id = card(static_cast<std::uint8_t>(i % 4));
    const RevealVerdict verdict = live.charge("web", id, limits, now).verdict;
    rebuilt.replay("web", id, verdict < RevealVerdict::kExhausted, now);
  }
  const std::int64_t end = kMidnight + 10 * kHourMs;
  for (int i = 0; i < 8; ++i) {
    const TokenId id = card(static_cast<std::uint8_t>(i));
    EXPECT_EQ(live.charge("web", id, limits, end).verdict,
              rebuilt.charge("web", id, limits, end).verdict);
  }
}

TEST(RevealBudget, LeavesOldEventsOutOfCurrentWindows) {
  RevealBudget budget;
  const RevealLimits limits{.client_per_hour = 10, .client_per_day = 10, .card_per_day = 1};
  budget.replay("web", card(9), true, kMidnight + 2 * kHourMs);
  budget.replay("web", card(1), true, kMidnight + kHourMs);  // an hour before
  budget.replay("web", card(2), true, kMidnight - kHourMs);  // a day before
  EXPECT_EQ(budget.left("web", limits, kMidnight + 2 * kHourMs).hour, 9U);
  EXPECT_EQ(budget.left("web", limits, kMidnight + 2 * kHourMs).day, 8U);
  EXPECT_EQ(budget.charge("web", card(2), limits, kMidnight + 2 * kHourMs).verdict,
            RevealVerdict::kOk);
}

TEST(RevealBudgetBytes, ComeBackTheSame) {
  RevealBudget budget, back;
  const RevealLimits limits{.client_per_hour = 5, .client_per_day = 8, .card_per_day = 1};
  charge(budget, limits, kMidnight, 4);
  charge(back, limits, kMidnight, 1);  // replaced by restore()
  ASSERT_TRUE(back.restore(budget.serialize(kMidnight)).has_value());
  EXPECT_EQ(back.left("web", limits, kMidnight).hour, 1U);
  EXPECT_EQ(back.left("web", limits, kMidnight).day, 4U);
  EXPECT_EQ(back.charge("web", card(3), limits, kMidnight).verdict, RevealVerdict::kExhausted);
  EXPECT_EQ(back.charge("web", card(4), limits, kMidnight).verdict, RevealVerdict::kAlarm100);
}

TEST(RevealBudgetBytes, LeaveEndedDaysOut) {
  RevealBudget budget;
  charge(budget, {}, kMidnight, 200);
  EXPECT_EQ(budget.serialize(kMidnight + kDayMs), RevealBudget().serialize(kMidnight));
  EXPECT_GT(budget.serialize(kMidnight).size(), 200U * 16);
}

TEST(RevealBudget, ForgetsEndedDays) {
  RevealBudget budget;
  charge(budget, {}, kMidnight, 200);
  charge(budget, {}, kMidnight + kDayMs, 1);
  // Asked for the old day, the snapshot would still hold what was kept in memory.
  EXPECT_LT(budget.serialize(kMidnight).size(), 100U);
}

TEST(RevealBudgetBytes, AreRefusedWhenCutOrForeign) {
  RevealBudget budget;
  charge(budget, {}, kMidnight, 3);
  const auto bytes = budget.serialize(kMidnight);
  RevealBudget other;
  const RevealLimits limits{.client_per_hour = 2};
  charge(other, limits, kMidnight, 1);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_EQ(other.restore(std::span(bytes).first(size)).error().code,
              base::Code::kInvalidArgument);
  }
  auto longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(other.restore(longer).has_value());
  EXPECT_EQ(other.left("web", limits, kMidnight).hour, 1U);  // nothing changed
}

TEST(RevealBudget, WhatARestoreSpentIsToldFromWhatRevealsSpent) {
  const RevealLimits limits{.client_per_hour = 2, .client_per_day = 2};
  RevealBudget budget;
  charge(budget, limits, kMidnight, 5);
  EXPECT_FALSE(spent_by_restore(budget, "web", kMidnight));
  const std::vector<std::string> clients = {"web"};
  ASSERT_TRUE(budget.restore(spent_reveal_budgets(clients, kMidnight)).has_value());
  constexpr std::int64_t kHour = 3'600'000;
  EXPECT_TRUE(spent_by_restore(budget, "web", kMidnight));
  EXPECT_FALSE(spent_by_restore(budget, "other", kMidnight));
  EXPECT_TRUE(spent_by_restore(budget, "web", kMidnight + 23 * kHour));  // the day still is
  EXPECT_FALSE(spent_by_restore(budget, "web", kMidnight + 24 * kHour));
  budget.reset("web");
  EXPECT_FALSE(spent_by_restore(budget, "web", kMidnight));
}

TEST(RevealBudget, IsExactUnderConcurrency) {
  RevealBudget budget;
  const RevealLimits limits{.client_per_hour = 1000};
  std::atomic<int> allowed = 0, alarms = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 200; ++i) {
          const auto verdict =
              budget.charge("web", card(static_cast<std::uint8_t>(t)), limits, kMidnight).verdict;
          allowed += verdict < RevealVerdict::kExhausted ? 1 : 0;
          alarms +=
              verdict == RevealVerdict::kAlarm80 || verdict == RevealVerdict::kAlarm100 ? 1 : 0;
        }
      });
    }
  }
  EXPECT_EQ(allowed, 1000);
  EXPECT_EQ(alarms, 2);
}

}  // namespace
}  // namespace cardvault::core
