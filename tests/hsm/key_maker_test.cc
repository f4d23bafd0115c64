#include "hsm/key_maker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/hsm/test_token.h"

namespace cardvault::hsm::testing {
namespace {

using base::Code;
using core::KeyPurpose;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class KeyMakerTest : public ::testing::TestWithParam<Kind> {};

std::map<std::string, KeyReport> by_label(KeyMaker& maker) {
  std::map<std::string, KeyReport> out;
  const auto list = maker.list();
  EXPECT_TRUE(list);
  for (const KeyReport& report : *list) out[report.label] = report;
  return out;
}

TEST_P(KeyMakerTest, KeysAreAsDesigned) {
  const TestToken token(GetParam());
  const auto maker = KeyMaker::open(token.config);
  const auto keys = by_label(*maker);
  EXPECT_EQ(keys.size(), 9U);
  for (const auto& [label, key] : keys) {
    EXPECT_THAT(key.faults, IsEmpty()) << label;
    EXPECT_TRUE(key.on_token && key.private_object && key.sensitive) << label;
    EXPECT_EQ(key.kcv.size(), 10U) << label;
  }
  EXPECT_EQ(keys.at("pan-enc/1").kind, "AES-256");
  EXPECT_EQ(keys.at("pan-enc/1").kcv_kind, "CMAC");
  EXPECT_THAT(keys.at("pan-enc/1").uses, ElementsAre("encrypt", "decrypt"));
  EXPECT_EQ(keys.at("pan-index/1").kind, "HMAC-SHA-256");
  EXPECT_THAT(keys.at("pan-index/1").uses, ElementsAre("sign"));
  EXPECT_EQ(keys.at("seal-sign/1").kind, "EC P-256");
  EXPECT_FALSE(keys.at("audit-sign/1").extractable);
  EXPECT_FALSE(keys.at("audit-sign/1").modifiable);
  EXPECT_TRUE(keys.at("pan-enc/1").extractable) << "the custodians' backup wraps it";
}

TEST_P(KeyMakerTest, CheckValuesAreStableAndTellKeysApart) {
  const TestToken token(GetParam());
  std::map<std::string, KeyReport> first = by_label(*KeyMaker::open(token.config));
  std::map<std::string, KeyReport> second = by_label(*KeyMaker::open(token.config));
  std::map<std::string, int> seen;
  for (const auto& [label, key] : first) {
    EXPECT_EQ(key.kcv, second.at(label).kcv);
    ++seen[key.kcv];
  }
  EXPECT_EQ(seen.size(), first.size());
}

TEST_P(KeyMakerTest, RefusesALabelThatIsTaken) {
  TestToken::Options options;
  options.purposes = {KeyPurpose::kPanEnc, KeyPurpose::kSealSign};
  const TestToken token(GetParam(), options);
  const auto maker = KeyMaker::open(token.config);
  for (const KeyPurpose purpose : options.purposes) {
    const auto again = maker->make({purpose, 1});
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Code::kAlreadyExists);
  }
  EXPECT_EQ(maker->list()->size(), 2U);
  EXPECT_TRUE(maker->make({KeyPurpose::kPanEnc, 2}));
}

TEST_P(KeyMakerTest, OptionsHold) {
  TestToken::Options options;
  options.purposes = {KeyPurpose::kPanEnc};
  options.keys = {.extractable = false, .allow_copies = false};
  const TestToken token(GetParam(), options);
  const KeyReport key = by_label(*KeyMaker::open(token.config)).at("pan-enc/1");
  EXPECT_FALSE(key.extractable);
  EXPECT_FALSE(key.modifiable);
  EXPECT_NE(key.never_extractable, false);
  // SoftHSM does not copy such a key; the vault works on the token's own.
  const auto crypto = TokenCrypto::open(token.config);
  EXPECT_EQ(crypto->description().session_copies, GetParam() == Kind::kNss);
  EXPECT_TRUE(crypto->encrypt({KeyPurpose::kPanEnc, 1}, base::as_bytes("x"), {}));
}

TEST_P(KeyMakerTest, NothingRequiredIsMissing) {
  TestToken::Options options;
  options.purposes = {};
  const TestToken token(GetParam(), options);
  EXPECT_EQ(describe_missing(KeyMaker::open(token.config)->mechanisms()), "");
}

TEST_P(KeyMakerTest, ATokenIsNotInitialisedTwice) {
  TestToken::Options options;
  options.purposes = {};
  const TestToken token(GetParam(), options);
  EXPECT_FALSE(init_token(token.config, {"cardvault", random_pin(), random_pin()}));
  EXPECT_NO_THROW(KeyMaker::open(token.config)) << "the PIN still holds";
}

TEST_P(KeyMakerTest, ANewPinOpensTheSameKeysAndTheOldOneNothing) {
  TestToken::Options options;
  options.purposes = {KeyPurpose::kPanEnc};
  options.pin = "the-pin-of-before";
  const TestToken token(GetParam(), options);
  const auto keys = by_label(*KeyMaker::open(token.config));
  const base::SecretText before(options.pin), after("the-pin-of-after");
  const auto refused = change_pin(token.config, TokenUser::kUser, after, before);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kHsmPinRefused);
  ASSERT_TRUE(change_pin(token.config, TokenUser::kUser, before, after));
  EXPECT_TRUE(try_pin(token.config, TokenUser::kUser, after));
  const auto old = try_pin(token.config, TokenUser::kUser, before);
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error().code, Code::kHsmPinRefused);
  EXPECT_EQ(by_label(*KeyMaker::open(token.config, after)).at("pan-enc/1").kcv,
            keys.at("pan-enc/1").kcv);
}

TEST_P(KeyMakerTest, ATokenWithoutAnOfficerSaysSo) {
  TestToken::Options options;
  options.purposes = {};
  const TestToken token(GetParam(), options);
  const auto officer =
      try_pin(token.config, TokenUser::kSecurityOfficer, base::SecretText("nobody's-pin"));
  ASSERT_FALSE(officer);
  EXPECT_EQ(officer.error().code,
            GetParam() == Kind::kNss ? Code::kNotFound : Code::kHsmPinRefused);
}

INSTANTIATE_TEST_SUITE_P(Modules, KeyMakerTest, ::testing::Values(Kind::kSoftHsm, Kind::kNss),
                         [](const auto& tested) {
                           return std::string(tested.param == Kind::kNss ? "Nss" : "SoftHsm");
                         });

TEST(KeyMaker, AuditKeyIsEd25519WhereTheModuleHasIt) {
  const TestToken softhsm(Kind::kSoftHsm);
  EXPECT_EQ(by_label(*KeyMaker::open(softhsm.config)).at("audit-sign/1").kind, "Ed25519");
  const TestToken nss(Kind::kNss);
  EXPECT_EQ(by_label(*KeyMaker::open(nss.config)).at("audit-sign/1").kind, "EC P-256");
}

TEST(RandomPin, HasMoreThan128Bits) {
  const auto first = random_pin();
  EXPECT_EQ(first.size(), 32U);  // of 5 bits
  EXPECT_NE(first.expose(), random_pin().expose());
  EXPECT_EQ(first.expose().find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
            std::string_view::npos);
}

}  // namespace
}  // namespace cardvault::hsm::testing
