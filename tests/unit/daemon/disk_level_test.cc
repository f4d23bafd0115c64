#include "vault/daemon/disk_level.h"

#include <gtest/gtest.h>

#include "vault/daemon/flood.h"

namespace cardvault::daemon {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kLarge = 1'000'000 * kMiB, kSmall = 1000 * kMiB;

DiskLevel level(std::uint64_t free_mib, std::uint64_t size, DiskLevel before = DiskLevel::kEnough) {
  return disk_level({}, free_mib * kMiB, size, before);
}

TEST(DiskLevels, BeginAtTheirLimits) {
  EXPECT_EQ(level(2048, kLarge), DiskLevel::kEnough);
  EXPECT_EQ(level(2047, kLarge), DiskLevel::kLow);
  EXPECT_EQ(level(1023, kLarge), DiskLevel::kNoReveals);
  EXPECT_EQ(level(511, kLarge), DiskLevel::kNoWrites);
  EXPECT_EQ(level(0, kLarge), DiskLevel::kNoWrites);
}

TEST(DiskLevels, OfASmallDiskAreItsShares) {
  EXPECT_EQ(level(201, kSmall), DiskLevel::kEnough);
  EXPECT_EQ(level(199, kSmall), DiskLevel::kLow);
  EXPECT_EQ(level(99, kSmall), DiskLevel::kNoReveals);
  EXPECT_EQ(level(49, kSmall), DiskLevel::kNoWrites);
}

TEST(DiskLevels, EndAnEighthAboveTheirLimits) {
  EXPECT_EQ(level(570, kLarge, DiskLevel::kNoWrites), DiskLevel::kNoWrites);
  EXPECT_EQ(level(577, kLarge, DiskLevel::kNoWrites), DiskLevel::kNoReveals);
  EXPECT_EQ(level(1100, kLarge, DiskLevel::kNoReveals), DiskLevel::kNoReveals);
  EXPECT_EQ(level(2100, kLarge, DiskLevel::kNoWrites), DiskLevel::kLow);
  EXPECT_EQ(level(2305, kLarge, DiskLevel::kNoWrites), DiskLevel::kEnough);
}

TEST(DiskLevels, ZeroIsNever) {
  const DiskConfig off{0, 0, 0};
  EXPECT_EQ(disk_level(off, 0, kLarge, DiskLevel::kEnough), DiskLevel::kEnough);
  EXPECT_EQ(disk_level(off, 0, kLarge, DiskLevel::kNoWrites), DiskLevel::kEnough);
  EXPECT_EQ(disk_level({2048, 0, 512}, 600 * kMiB, kLarge, DiskLevel::kEnough), DiskLevel::kLow);
}

TEST(Floods, StrangersAreSummedUpWhileThatIsAsked) {
  FloodCounter floods;
  floods.sum_strangers(true);
  for (int i = 0; i < 100; ++i) {
    floods.add("unknown", "192.0.2." + std::to_string(i), "client_unknown");
    floods.add("gate:web", "192.0.2." + std::to_string(i), "handshake_failed", 2);
  }
  floods.add("client:web", "192.0.2.1", "rate_limited");
  floods.add("client:web", "192.0.2.2", "rate_limited");
  const auto events = floods.take(1);
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[2].source, "*");
  EXPECT_EQ(events[2].details.front().second, "200");
  EXPECT_EQ(events[3].source, "*");
  EXPECT_EQ(events[3].details.front().second, "100");
  floods.sum_strangers(false);
  floods.add("unknown", "192.0.2.7", "client_unknown");
  EXPECT_EQ(floods.take(2).front().source, "192.0.2.7");
}

}  // namespace
}  // namespace cardvault::daemon
