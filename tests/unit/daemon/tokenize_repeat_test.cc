// The same card of the same customer again: what is renewed, and what stays.
#include <gtest/gtest.h>

#include "tests/unit/daemon/test_vault.h"

namespace cardvault::daemon {
namespace {

using core::TokenizeAnswer;

constexpr const char* kPan = "4111111111111111";
constexpr const char* kCustomer = "+77011234567";

TEST(Tokenize, RepeatWithAnotherExpiryRenewsTheCard) {
  TestVault vault;
  const std::string token = view(vault.tokenize(kPan, kCustomer, "2027-12")).token;
  const auto renewed = vault.tokenize(kPan, kCustomer, "2031-01");
  EXPECT_EQ(view(renewed).token, token);
  EXPECT_EQ(view(renewed).expiry, "2031-01");
  const auto shown = vault.reveal(token);
  EXPECT_EQ(std::get<core::Revealed>(shown).expiry, "2031-01");
  EXPECT_EQ(std::get<core::Revealed>(shown).pan.expose(), kPan);
  EXPECT_EQ(view(vault.tokenize(kPan, kCustomer)).expiry, "2031-01");  // none given: kept
}

TEST(Tokenize, RepeatKeepsTheFirstFormat) {
  TestVault vault;
  const std::string token = vault.token(kPan, kCustomer);
  core::TokenizeItem numeric = item(kPan, kCustomer);
  numeric.format = core::TokenFormat::kNumeric;
  const auto answer = vault.call(TestVault::kWeb, one(std::move(numeric)));
  EXPECT_EQ(view(std::get<TokenizeAnswer>(answer).items.at(0)).token, token);
}

TEST(Tokenize, RepeatWithTtlNeverShortensALife) {
  TestVault vault;
  const auto with_ttl = [&](std::uint32_t ttl) {
    core::TokenizeItem i = item(kPan, kCustomer);
    i.ttl_s = ttl;
    const auto answer = vault.call(TestVault::kWeb, one(std::move(i)));
    return view(std::get<TokenizeAnswer>(answer).items.at(0)).expires_ms;
  };
  const std::int64_t now = vault.clock.now;
  EXPECT_EQ(with_ttl(100), now + 100'000);
  EXPECT_EQ(with_ttl(50), now + 100'000);
  EXPECT_EQ(with_ttl(200), now + 200'000);
  EXPECT_EQ(with_ttl(0), 0);
  EXPECT_EQ(with_ttl(10), 0);
}

TEST(Tokenize, RepeatWithMetadataReplacesIt) {
  TestVault vault;
  const auto with = [&](core::Metadata metadata) {
    core::TokenizeItem i = item(kPan, kCustomer);
    i.metadata = std::move(metadata);
    const auto answer = vault.call(TestVault::kWeb, one(std::move(i)));
    return view(std::get<TokenizeAnswer>(answer).items.at(0)).metadata;
  };
  EXPECT_EQ(with({{"label", "red"}}), (core::Metadata{{"label", "red"}}));
  EXPECT_EQ(with({}), (core::Metadata{{"label", "red"}}));
  EXPECT_EQ(with({{"label", "blue"}}), (core::Metadata{{"label", "blue"}}));
}

}  // namespace
}  // namespace cardvault::daemon
