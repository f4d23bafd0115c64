#include "vault/core/vault_clock.h"

#include <gtest/gtest.h>

#include <random>
#include <utility>

namespace cardvault::core {
namespace {

constexpr std::int64_t kStart = 1'795'329'000'000;
constexpr std::int64_t kHourMs = 3600 * 1000;
constexpr std::int64_t kDayMs = 24 * kHourMs;
constexpr std::int64_t kMaxOffline = 30 * kDayMs;

// Hands that a test can turn.
struct Hands {
  std::int64_t wall = kStart;
  std::int64_t boot = 5000;
  std::int64_t pause = 0;  // before the next look at the wall clock

  void pass(std::int64_t ms) {
    wall += ms;
    boot += ms;
  }
  VaultClock::Sources sources() {
    return {[this] {
              pass(std::exchange(pause, 0));
              return wall;
            },
            [this] { return boot; }};
  }
  VaultClock clock(std::int64_t high_water) { return {sources(), high_water, kMaxOffline}; }
};

TEST(VaultClockStart, TakesTheWallClockOnANewVault) {
  Hands hands;
  const VaultClock clock = hands.clock(0);
  EXPECT_TRUE(clock.trusted());
  EXPECT_EQ(clock.now_ms(), kStart);
  hands.pass(1234);
  EXPECT_EQ(clock.now_ms(), kStart + 1234);
  EXPECT_EQ(clock.offset_ms(), 0);
}

TEST(VaultClockStart, TrustsAWallClockAfterANormalStop) {
  Hands hands;
  const VaultClock clock = hands.clock(kStart - kMaxOffline);
  EXPECT_TRUE(clock.trusted());
  EXPECT_EQ(clock.now_ms(), kStart);
}

TEST(VaultClockStart, DoubtsAWallClockBehindTheMark) {
  Hands hands;
  const VaultClock clock = hands.clock(kStart + 5001);
  EXPECT_FALSE(clock.trusted());
  EXPECT_EQ(clock.now_ms(), kStart + 5001);
  EXPECT_EQ(clock.offset_ms(), -5001);
  hands.pass(1000);
  EXPECT_EQ(clock.now_ms(), kStart + 6001);
}

TEST(VaultClockStart, BearsAWallClockALittleBehindAndLetsItCatchUp) {
  Hands hands;
  const VaultClock clock = hands.clock(kStart + 4000);
  EXPECT_TRUE(clock.trusted());
  EXPECT_EQ(clock.now_ms(), kStart + 4000);
  hands.pass(4000);  // at half speed
  EXPECT_EQ(clock.now_ms(), kStart + 6000);
  hands.pass(4000);
  EXPECT_EQ(clock.now_ms(), kStart + 8000);
  hands.pass(1000);
  EXPECT_EQ(clock.now_ms(), kStart + 9000);
  EXPECT_TRUE(clock.trusted());
}

TEST(VaultClockStart, DoubtsAGapAndDoesNotTakeItOver) {
  Hands hands;
  const std::int64_t mark = kStart - kMaxOffline - 1;
  const VaultClock clock = hands.clock(mark);
  EXPECT_FALSE(clock.trusted());
  EXPECT_EQ(clock.now_ms(), mark);
  EXPECT_EQ(clock.offset_ms(), kMaxOffline + 1);
  hands.pass(500);
  EXPECT_EQ(clock.now_ms(), mark + 500);
}

TEST(VaultClockConfirm, JumpsForwardToTheWallClock) {
  Hands hands;
  VaultClock clock = hands.clock(kStart - kMaxOffline - 1);
  hands.pass(1000);
  clock.confirm();
  EXPECT_TRUE(clock.trusted());
  EXPECT_EQ(clock.now_ms(), kStart + 1000);
  EXPECT_EQ(clock.offset_ms(), 0);
}

TEST(VaultClockConfirm, FollowsAWallClockBehindWithoutSteppingBack) {
  Hands hands;
  VaultClock clock = hands.clock(kStart + kHourMs);
  ASSERT_FALSE(clock.trusted());
  clock.confirm();
  EXPECT_TRUE(clock.trusted());
  EXPECT_EQ(clock.now_ms(), kStart + kHourMs);
  hands.pass(kHourMs);
  EXPECT_EQ(clock.now_ms(), kStart + kHourMs + kHourMs / 2);
  EXPECT_TRUE(clock.trusted());
  hands.pass(kHourMs);
  EXPECT_EQ(clock.now_ms(), kStart + 2 * kHourMs);  // met
  hands.pass(1);
  EXPECT_EQ(clock.now_ms(), kStart + 2 * kHourMs + 1);
  EXPECT_TRUE(clock.trusted());
}

TEST(VaultClockRunning, DoubtsAJumpEitherWay) {
  for (const std::int64_t jump : {5001, -5001, 3'600'000, -3'600'000}) {
    Hands hands;
    const VaultClock clock = hands.clock(0);
    hands.pass(1000);
    ASSERT_TRUE(clock.trusted());
    hands.wall += jump;
    EXPECT_FALSE(clock.trusted()) << jump;
    EXPECT_EQ(clock.now_ms(), kStart + 1000) << jump;
    EXPECT_EQ(clock.offset_ms(), jump);
    hands.pass(1000);
    EXPECT_EQ(clock.now_ms(), kStart + 2000) << jump;
    hands.wall -= jump;  // even when it comes back, only an operator can tell
    EXPECT_FALSE(clock.trusted());
  }
}

TEST(VaultClockRunning, FollowsDriftForward) {
  Hands hands;
  const VaultClock clock = hands.clock(0);
  for (int i = 1; i <= 100; ++i) {
    hands.pass(1000);
    hands.wall += 200;
    ASSERT_EQ(clock.now_ms(), kStart + i * 1200);
  }
  EXPECT_TRUE(clock.trusted());
}

TEST(VaultClockRunning, DoesNotFollowDriftBack) {
  Hands hands;
  const VaultClock clock = hands.clock(0);
  hands.pass(1000);
  hands.wall -= 3000;
  EXPECT_EQ(clock.now_ms(), kStart + 1000);
  EXPECT_TRUE(clock.trusted());
  hands.pass(1000);
  EXPECT_EQ(clock.now_ms(), kStart + 2000);
  hands.wall -= 2001;  // small steps add up
  EXPECT_FALSE(clock.trusted());
}

TEST(VaultClockRunning, DoesNotMistakeSleepForAJump) {
  Hands hands;
  const VaultClock clock = hands.clock(0);
  hands.pass(10 * kDayMs);  // the boot clock counts while the machine sleeps
  EXPECT_TRUE(clock.trusted());
  EXPECT_EQ(clock.now_ms(), kStart + 10 * kDayMs);
}

TEST(VaultClockRunning, DoesNotMistakeAPauseBetweenTwoLooksForAJump) {
  Hands hands;
  VaultClock clock = hands.clock(0);
  for (const std::int64_t pause : {200, 4000, 60'000}) {
    hands.pause = pause;
    const std::int64_t now = clock.now_ms();
    EXPECT_EQ(now, hands.wall);
    EXPECT_TRUE(clock.trusted());
  }
  hands.pause = 60'000;
  clock.confirm();
  EXPECT_EQ(clock.offset_ms(), 0);
}

TEST(VaultClockProperty, NeverStepsBackAndNeverStands) {
  std::mt19937_64 random(8);
  for (int round = 0; round < 200; ++round) {
    Hands hands;
    VaultClock clock = hands.clock(kStart + static_cast<std::int64_t>(random() % 20'000) - 10'000);
    std::int64_t last = clock.now_ms();
    for (int step = 0; step < 200; ++step) {
      const auto passed = static_cast<std::int64_t>(random() % 2000);
      hands.pass(passed);
      switch (random() % 8) {
        case 0:
          hands.wall += static_cast<std::int64_t>(random() % 8000) - 4000;
          break;
        case 1:
          hands.wall += static_cast<std::int64_t>(random() % 80'000) - 40'000;
          break;
        case 2:
          clock.confirm();
          break;
        default:
          break;
      }
      const std::int64_t now = clock.now_ms();
      ASSERT_GE(now, last + passed / 2 - 1);
      last = now;
    }
  }
}

TEST(VaultClockSources, AreTheSystemsClocks) {
  const VaultClock clock(VaultClock::system_sources(), 0, kMaxOffline);
  EXPECT_GT(clock.now_ms(), 1'700'000'000'000);
  EXPECT_TRUE(clock.trusted());
}

}  // namespace
}  // namespace cardvault::core
