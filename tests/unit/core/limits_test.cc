// The rate limiter and the meter of GCM invocations.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "vault/core/invocations.h"
#include "vault/core/rate_limit.h"
#include "vault/core/request.h"

namespace cardvault::core {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr KeyRef kKey{KeyPurpose::kPanEnc, 1};

TEST(RateLimiter, AllowsTwoSecondsWorthAtOnceThenTheRate) {
  RateLimiter limiter;
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(limiter.take("web", 1000, 1, 0), 0U) << i;
  EXPECT_EQ(limiter.take("web", 1000, 1, 0), 1U);
  EXPECT_EQ(limiter.take("web", 1000, 500, kSecondUs / 2), 0U);
  EXPECT_EQ(limiter.take("web", 1000, 1, kSecondUs / 2), 1U);
}

TEST(RateLimiter, HoldsAFullBatchHoweverSlowTheRate) {
  RateLimiter limiter;
  EXPECT_EQ(limiter.take("web", 10, kMaxBatch, 0), 0U);
  EXPECT_EQ(limiter.take("web", 10, kMaxBatch, 0), 100U);
  EXPECT_EQ(limiter.take("web", 10, kMaxBatch, 99 * kSecondUs), 1U);
  EXPECT_EQ(limiter.take("web", 10, kMaxBatch, 100 * kSecondUs), 0U);
}

TEST(RateLimiter, NeverFillsABucketBeyondItsCapacity) {
  RateLimiter limiter;
  EXPECT_EQ(limiter.take("web", 1000, 2000, 0), 0U);
  EXPECT_EQ(limiter.take("web", 1000, 2000, 3600 * kSecondUs), 0U);
  EXPECT_NE(limiter.take("web", 1000, 1, 3600 * kSecondUs), 0U);
}

TEST(RateLimiter, KeepsClientsApartAndHasNoLimitAtZero) {
  RateLimiter limiter;
  EXPECT_EQ(limiter.take("a", 1000, 2000, 0), 0U);
  EXPECT_NE(limiter.take("a", 1000, 1, 0), 0U);
  EXPECT_EQ(limiter.take("b", 1000, 1, 0), 0U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(limiter.take("c", 0, 1'000'000, 0), 0U);
}

TEST(RateLimiter, FollowsAChangedRateAndIgnoresTimeThatSeemsToGoBack) {
  RateLimiter limiter;
  EXPECT_EQ(limiter.take("web", 5000, 10, 10 * kSecondUs), 0U);
  EXPECT_EQ(limiter.take("web", 500, 1000, 10 * kSecondUs), 0U);  // capped to the new capacity
  EXPECT_EQ(limiter.take("web", 500, 1, 9 * kSecondUs), 1U);
  EXPECT_EQ(limiter.take("web", 500, 501, 11 * kSecondUs), 1U);
  EXPECT_EQ(limiter.take("web", 500, 500, 11 * kSecondUs), 0U);
}

TEST(InvocationMeter, UsesOnlyWhatIsReserved) {
  InvocationMeter meter;
  EXPECT_EQ(meter.use(kKey).error().code, base::Code::kOverloaded);
  EXPECT_EQ(meter.wants_reservation(kKey), kInvocationBlock);
  EXPECT_EQ(meter.wants_reservation(kKey), std::nullopt);  // one at a time
  EXPECT_EQ(meter.use(kKey).error().code, base::Code::kOverloaded);
  meter.reserved(kKey, kInvocationBlock);
  EXPECT_TRUE(meter.use(kKey, 1000).has_value());
  EXPECT_EQ(meter.used(kKey), 1000U);
  EXPECT_EQ(meter.wants_reservation(kKey), std::nullopt);
  EXPECT_EQ(meter.use(kKey, kInvocationBlock).error().code, base::Code::kOverloaded);
  EXPECT_EQ(meter.used(kKey), 1000U);
}

TEST(InvocationMeter, ReservesAheadWhenHalfABlockIsLeft) {
  InvocationMeter meter;
  meter.reserved(kKey, kInvocationBlock);
  ASSERT_TRUE(meter.use(kKey, kInvocationBlock / 2).has_value());
  EXPECT_EQ(meter.wants_reservation(kKey), std::nullopt);
  ASSERT_TRUE(meter.use(kKey).has_value());
  EXPECT_EQ(meter.wants_reservation(kKey), 2 * kInvocationBlock);
  meter.reservation_failed(kKey);
  EXPECT_EQ(meter.wants_reservation(kKey), 2 * kInvocationBlock);
}

TEST(InvocationMeter, IsNeverRewoundByARestart) {
  InvocationMeter before;
  before.reserved(kKey, kInvocationBlock);
  ASSERT_TRUE(before.use(kKey, 10).has_value());
  InvocationMeter after;
  after.load(kKey, kInvocationBlock);
  EXPECT_EQ(after.used(kKey), kInvocationBlock);
  EXPECT_EQ(after.use(kKey).error().code, base::Code::kOverloaded);
  EXPECT_EQ(after.wants_reservation(kKey), 2 * kInvocationBlock);
  after.load(kKey, 5);
  EXPECT_EQ(after.used(kKey), kInvocationBlock);
}

TEST(InvocationMeter, RefusesAtTheLimitForGood) {
  InvocationMeter meter(kInvocationBlock + 10);
  meter.load(kKey, kInvocationBlock);
  EXPECT_EQ(meter.wants_reservation(kKey), kInvocationBlock + 10);
  meter.reserved(kKey, kInvocationBlock + 10);
  EXPECT_TRUE(meter.use(kKey, 10).has_value());
  EXPECT_EQ(meter.use(kKey).error().code, base::Code::kKeyExhausted);
  EXPECT_EQ(meter.wants_reservation(kKey), std::nullopt);
  EXPECT_EQ(InvocationMeter().limit(), std::uint64_t{1} << 32);
}

TEST(InvocationMeter, KeepsKeysApart) {
  InvocationMeter meter;
  meter.reserved(kKey, kInvocationBlock);
  EXPECT_TRUE(meter.use(kKey).has_value());
  EXPECT_FALSE(meter.use({KeyPurpose::kPanEnc, 2}).has_value());
  EXPECT_FALSE(meter.use({KeyPurpose::kIdEnc, 1}).has_value());
  EXPECT_EQ(meter.used({KeyPurpose::kIdEnc, 1}), 0U);
}

TEST(InvocationMeter, NeverHandsOutMoreThanReservedUnderConcurrency) {
  InvocationMeter meter;
  meter.reserved(kKey, 10'000);
  std::atomic<int> used = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 2000; ++i) used += meter.use(kKey).has_value() ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(used, 10'000);
}

}  // namespace
}  // namespace cardvault::core
