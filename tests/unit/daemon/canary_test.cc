#include "vault/core/canary.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/daemon/test_vault.h"
#include "vault/core/index_fingerprints.h"
#include "vault/core/record.h"

namespace cardvault::daemon {
namespace {

struct NewCanary : testing::Test {
  base::Code refusal(std::string_view bin) {
    return core::make_canary(vault.services, bin, core::TokenFormat::kOpaque).error().code;
  }
  TestVault vault;
};

TEST_F(NewCanary, IsSealedLikeACardOfThisBinAndOfNobody) {
  const auto row =
      core::make_canary(vault.services, "41111111", core::TokenFormat::kOpaque).value();
  const auto opened = core::open_card(vault.services, row).value();
  EXPECT_EQ(opened.pan.size(), 16U);
  EXPECT_TRUE(opened.pan.luhn_valid());
  EXPECT_EQ(opened.pan.bin_digits(8), "41111111");
  EXPECT_EQ(opened.pan.last4(), row.last4);
  EXPECT_EQ(core::pan_fingerprints(vault.services, opened.pan)->active, row.fp);
  EXPECT_EQ(row.customer, 0);
  EXPECT_EQ(row.customer_id, core::InternalId{});
  EXPECT_EQ(row.country + row.currency, "KZKZT");
  EXPECT_EQ(row.number, 0);
}

TEST_F(NewCanary, NumericTokenKeepsTheLastFour) {
  const auto row = core::make_canary(vault.services, "5555555", core::TokenFormat::kNumeric);
  // Seven digits match no row of eight: a prefix must name its issuer.
  EXPECT_EQ(row.error().code, base::Code::kBinUnknown);
  const auto numeric =
      core::make_canary(vault.services, "55555555", core::TokenFormat::kNumeric).value();
  EXPECT_EQ(std::to_string(numeric.number).substr(15), numeric.last4);
}

TEST_F(NewCanary, NumbersAreRandom) {
  std::set<core::Fingerprint> seen;
  // Of ten million; two of them agree once in 200,000 runs.
  for (int i = 0; i < 10; ++i) {
    const auto row = core::make_canary(vault.services, "41111111", core::TokenFormat::kOpaque);
    seen.insert(row.value().fp);
  }
  EXPECT_EQ(seen.size(), 10U);
}

TEST_F(NewCanary, RefusesWhatTheVaultWouldNotStore) {
  EXPECT_EQ(refusal("40000566"), base::Code::kCountryRefused);
  EXPECT_EQ(refusal("99999999"), base::Code::kBinUnknown);
  for (const char* bin : {"", "411", "4111111111111111", "4111111x", "+4111111"}) {
    EXPECT_EQ(refusal(bin), base::Code::kInvalidArgument) << bin;
  }
}

}  // namespace
}  // namespace cardvault::daemon
