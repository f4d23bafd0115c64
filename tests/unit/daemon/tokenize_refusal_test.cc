// Cards that are not taken, and why.
#include <gtest/gtest.h>

#include "tests/unit/daemon/test_vault.h"

namespace cardvault::daemon {
namespace {

using core::TokenizeAnswer;

constexpr const char* kPan = "4111111111111111";
constexpr const char* kCustomer = "+77011234567";

struct Refusal {
  const char* name;
  const char* pan;
  const char* customer;
  const char* expiry;
  const char* code;
};

class TokenizeRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(TokenizeRefusal, NamesWhatIsWrong) {
  TestVault vault;
  const Refusal& r = GetParam();
  EXPECT_EQ(outcome_name(vault.tokenize(r.pan, r.customer, r.expiry)), r.code);
  EXPECT_EQ(vault.count_in_log(std::string("\"outcome\":\"") + r.code), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Table, TokenizeRefusal,
    testing::Values(Refusal{"BadLuhn", "4111111111111112", kCustomer, "", "invalid_pan"},
                    Refusal{"Letters", "4111x11111111111", kCustomer, "", "invalid_pan"},
                    Refusal{"WrongLengthForBin", "4111111111116", kCustomer, "", "invalid_pan"},
                    Refusal{"NoCustomer", kPan, "", "", "customer_required"},
                    Refusal{"CustomerIsPan", kPan, kPan, "", "pan_in_field"},
                    Refusal{"Expired", kPan, kCustomer, "2020-01", "card_expired"},
                    Refusal{"BadExpiry", kPan, kCustomer, "2027-13", "invalid_expiry"},
                    Refusal{"Foreign", "4000056655665556", kCustomer, "", "country_refused"},
                    Refusal{"UnknownBin", "378282246310005", kCustomer, "", "bin_unknown"}),
    [](const auto& param) { return param.param.name; });

TEST(Tokenize, TakesACardWithoutCheckDigitWhereItsBinSaysSo) {
  TestVault vault;
  EXPECT_EQ(outcome_name(vault.tokenize("4000000000000001", kCustomer)), "ok");
}

TEST(Tokenize, RefusesACurrencyThatThePolicyDoesNotList) {
  TestVault vault;
  core::Settings settings;
  settings.tokenize.currencies = {"KZT"};
  vault.set(settings);
  EXPECT_EQ(outcome_name(vault.tokenize("4000000000000001", kCustomer)), "currency_refused");
  EXPECT_EQ(outcome_name(vault.tokenize(kPan, kCustomer)), "ok");
}

TEST(Tokenize, RefusesACardNumberInMetadata) {
  TestVault vault;
  core::TokenizeItem i = item(kPan, kCustomer);
  i.metadata = {{"note", "card 4111 1111 1111 1111"}};
  const auto answer = vault.call(TestVault::kWeb, one(std::move(i)));
  EXPECT_EQ(outcome_name(std::get<TokenizeAnswer>(answer).items.at(0)), "pan_in_field");
}

}  // namespace
}  // namespace cardvault::daemon
