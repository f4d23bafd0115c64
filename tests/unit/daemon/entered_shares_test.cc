#include "vault/daemon/entered_shares.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "vault/custody/shamir.h"

namespace cardvault::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr EnteredShares::Time kStart{std::chrono::hours(5)};

struct ThreeOfFive : testing::Test {
  ThreeOfFive() {
    custody::ShareLabel label;
    label.secret = custody::SecretName::kUserPin;
    label.generation = 1;
    label.threshold = 3;
    label.parts = 5;
    shares = custody::split_secret(secret, label);
  }
  void add(unsigned index, EnteredShares::Time when) {
    entered.add(std::move(shares.at(index)), when);
  }
  base::SecretBuffer secret = base::SecretBuffer(32, 0x5a);
  std::vector<custody::Share> shares;
  EnteredShares entered;
};

TEST_F(ThreeOfFive, AreGoneTenMinutesAfterTheLastOne) {
  add(0, kStart);
  EXPECT_FALSE(entered.drop_old(kStart + minutes(9)));
  add(1, kStart + minutes(9));
  EXPECT_FALSE(entered.drop_old(kStart + minutes(19) - milliseconds(1)));
  EXPECT_EQ(entered.size(), 2U);
  EXPECT_TRUE(entered.drop_old(kStart + minutes(19)));
  EXPECT_EQ(entered.size(), 0U);
  EXPECT_TRUE(entered.all().empty());
  EXPECT_FALSE(entered.drop_old(kStart + minutes(40)));  // said once
}

TEST_F(ThreeOfFive, RebuildWhatWasSplitAndAreGoneThen) {
  for (const unsigned index : {4U, 0U, 2U}) add(index, kStart);
  EXPECT_TRUE(std::ranges::equal(entered.combine(), secret));
  EXPECT_EQ(entered.size(), 0U);
}

}  // namespace
}  // namespace cardvault::daemon
