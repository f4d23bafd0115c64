#include "hsm/token_group.h"
#include "tests/fakes/fake_crypto.h"
#include "tests/hsm/crypto_contract.h"
#include "tests/hsm/second_token.h"
#include "tests/hsm/test_token.h"

namespace cardvault::hsm::testing {
namespace {

UnderTest make_fake(core::Suite suite) {
  auto fake = std::make_shared<fakes::FakeCrypto>();
  fake->use_suite(suite);
  return {fake, fake.get(), [fake](KeyRef key) { return fake->public_key(key)->point; }};
}

struct Real {
  explicit Real(const TokenConfig& config) : crypto(TokenCrypto::open(config)) {}
  std::unique_ptr<TokenCrypto> crypto;
};

// Making a token takes a while: one per kind for the whole run.
const TestToken& shared_token(Kind kind, bool cbc) {
  static std::map<std::pair<Kind, bool>, std::unique_ptr<TestToken>> tokens;
  auto& token = tokens[{kind, cbc}];
  if (!token) {
    TestToken::Options options;
    options.cbc_hmac = cbc;
    token = std::make_unique<TestToken>(kind, options);
  }
  return *token;
}

UnderTest make_real(Kind kind, bool cbc, bool copies, unsigned sessions) {
  TokenConfig config = shared_token(kind, cbc).config;
  config.session_copies = copies;
  config.sessions = sessions;
  auto real = std::make_shared<Real>(config);
  EXPECT_EQ(real->crypto->state(), HsmState::kReady);
  EXPECT_EQ(real->crypto->description().session_copies, copies);
  return {real, real->crypto.get(), [real](KeyRef key) {
            auto found = real->crypto->public_key(key);
            return found ? found->point : std::vector<std::uint8_t>();
          }};
}

// Two HSMs: this token, and a clone of it.
UnderTest make_pair() {
  struct Pair {
    ClonedToken clone{shared_token(Kind::kSoftHsm, false)};
    std::unique_ptr<TokenGroup> group =
        TokenGroup::open({shared_token(Kind::kSoftHsm, false).config, clone.config});
  };
  auto pair = std::make_shared<Pair>();
  EXPECT_TRUE(reaches(pair->group->token(0), HsmState::kReady));
  EXPECT_TRUE(reaches(pair->group->token(1), HsmState::kReady));
  return {pair, pair->group.get(), [pair](KeyRef key) {
            auto found = pair->group->public_key(key);
            return found ? found->point : std::vector<std::uint8_t>();
          }};
}

constexpr auto kGcm = core::Suite::kAes256Gcm;
constexpr auto kCbc = core::Suite::kAes256CbcHmacSha256;

INSTANTIATE_TEST_SUITE_P(
    Modules, CryptoContract,
    ::testing::Values(
        Implementation{"Fake", kGcm, [] { return make_fake(kGcm); }},
        Implementation{"FakeCbcHmac", kCbc, [] { return make_fake(kCbc); }},
        Implementation{"SoftHsm", kGcm, [] { return make_real(Kind::kSoftHsm, false, true, 1); }},
        Implementation{"SoftHsmTokenKeys", kGcm,
                       [] { return make_real(Kind::kSoftHsm, false, false, 2); }},
        Implementation{"SoftHsmCbcHmac", kCbc,
                       [] { return make_real(Kind::kSoftHsm, true, true, 2); }},
        Implementation{"Nss", kGcm, [] { return make_real(Kind::kNss, false, true, 4); }},
        Implementation{"SoftHsmPair", kGcm, make_pair},
        Implementation{"NssCbcHmac", kCbc, [] { return make_real(Kind::kNss, true, true, 1); }}),
    [](const auto& tested) { return tested.param.name; });

TEST(CryptoSuites, RecordsOfBothSuitesStayReadable) {
  TokenConfig config = shared_token(Kind::kSoftHsm, true).config;
  const auto text = base::as_bytes("4111111111111111");
  core::Sealed with_cbc;
  {
    const auto crypto = TokenCrypto::open(config);
    with_cbc = *crypto->encrypt(kPanKey, text, text);
    EXPECT_EQ(with_cbc.suite, kCbc);
  }
  config.cbc_hmac = false;
  const auto crypto = TokenCrypto::open(config);
  const auto with_gcm = crypto->encrypt(kPanKey, text, text);
  ASSERT_TRUE(with_gcm);
  EXPECT_EQ(with_gcm->suite, kGcm);
  EXPECT_TRUE(crypto->decrypt(kPanKey, with_cbc, text));
  EXPECT_TRUE(crypto->decrypt(kPanKey, *with_gcm, text));
}

TEST(CryptoSuites, SecondSuiteWithoutItsKeyIsNamedAtStart) {
  TokenConfig config = shared_token(Kind::kSoftHsm, false).config;
  config.cbc_hmac = true;
  try {
    static_cast<void>(TokenCrypto::open(config));
    FAIL() << "opened";
  } catch (const base::StartupError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("second key of suite 2"));
  }
}

}  // namespace
}  // namespace cardvault::hsm::testing
