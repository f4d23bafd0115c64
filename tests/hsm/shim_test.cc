// What modules do wrong, provoked by a shim in front of SoftHSM.
#include "tests/hsm/shim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <thread>

#include "hsm/error.h"
#include "hsm/pkcs11.h"
#include "tests/hsm/test_token.h"

namespace cardvault::hsm::testing {
namespace {

using base::Code;
using core::KeyPurpose;
using core::KeyRef;
using std::chrono::milliseconds;

constexpr KeyRef kPanKey{KeyPurpose::kPanEnc, 1};
constexpr KeyRef kIndexKey{KeyPurpose::kPanIndex, 1};

TestToken& token() {
  static TestToken made(Kind::kSoftHsm, [] {
    static_cast<void>(shim());  // names the module behind it before that is loaded
    TestToken::Options options;
    options.module = shim_path();
    return options;
  }());
  return made;
}

class ShimTest : public ::testing::Test {
 protected:
  void SetUp() override {
    config_ = token().config;
    config_.probe_interval_ms = 0;  // a test that wants the probe says so
    shim().reset();
  }
  void TearDown() override { shim().reset(); }
  std::unique_ptr<TokenCrypto> open() {
    return TokenCrypto::open(config_, {.on_change =
                                           [this](const HsmEvent& event) {
                                             const std::lock_guard lock(mutex_);
                                             events_.push_back(event.state);
                                           },
                                       .on_stuck = {},
                                       .expected_kcvs = {}});
  }
  // A change is reported after it holds: waits for so many of them, the last of them to be `state`.
  std::vector<HsmState> events_until(HsmState state, std::size_t count = 1) {
    for (int i = 0; i < 15'000; ++i) {
      {
        const std::lock_guard lock(mutex_);
        if (events_.size() >= count && events_.back() == state) return events_;
      }
      std::this_thread::sleep_for(milliseconds(2));
    }
    return {};
  }
  static Code code_of(const auto& result) { return result ? Code::kConflict : result.error().code; }

  TokenConfig config_;
  std::mutex mutex_;
  std::vector<HsmState> events_;
  const std::span<const std::uint8_t> text_ = base::as_bytes("4111111111111111");
};

std::string start_error(const TokenConfig& config) {
  try {
    static_cast<void>(TokenCrypto::open(config));
    return "opened";
  } catch (const base::StartupError& error) {
    return error.what();
  }
}

TEST_F(ShimTest, MissingMechanismIsNamedInWords) {
  shim().hidden_mechanism = CKM_SHA256_HMAC;
  EXPECT_THAT(start_error(config_), ::testing::HasSubstr("CKM_SHA256_HMAC"));
  shim().hidden_mechanism = CKM_AES_CBC_PAD;
  EXPECT_EQ(open()->state(), HsmState::kReady) << "suite 1 does not need it";
  const auto findings = [&] {
    shim().hidden_mechanism = CKM_ECDSA;
    return KeyMaker::open(config_)->mechanisms();
  }();
  EXPECT_THAT(describe_missing(findings), ::testing::HasSubstr("CKM_ECDSA (signs"));
}

TEST_F(ShimTest, WithoutGcmTheSecondSuiteIsUsedAndItsKeyMade) {
  shim().hidden_mechanism = CKM_AES_GCM;
  {
    const auto maker = KeyMaker::open(config_);
    auto made = maker->make({KeyPurpose::kPanEnc, 9});
    ASSERT_TRUE(made);
    ASSERT_EQ(made->size(), 2U);
    EXPECT_EQ((*made)[1].label, "pan-enc-mac/9");
  }
  EXPECT_THAT(start_error(config_), ::testing::HasSubstr("second key")) << "id-enc/1 has none";
  EXPECT_TRUE(KeyMaker::open(config_)->destroy({KeyPurpose::kPanEnc, 9}));  // of a shared token
}

TEST_F(ShimTest, RefusedCopiesFallBackToTheTokensKeys) {
  shim().refuse_copies = true;
  const auto crypto = open();
  EXPECT_FALSE(crypto->description().session_copies);
  const auto sealed = crypto->encrypt(kPanKey, text_, text_);
  ASSERT_TRUE(sealed);
  EXPECT_TRUE(crypto->decrypt(kPanKey, *sealed, text_));
}

TEST_F(ShimTest, ModuleThatWritesItsIvIntoTheParameters) {
  shim().gcm_iv = ShimIv::kInParams;
  const auto crypto = open();
  ASSERT_EQ(crypto->state(), HsmState::kReady);
  const auto sealed = crypto->encrypt(kPanKey, text_, text_);
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sealed->ciphertext.size(), 32U);
  EXPECT_NE(sealed->iv, std::vector<std::uint8_t>(12));
  const auto opened = crypto->decrypt(kPanKey, *sealed, text_);
  ASSERT_TRUE(opened);
  EXPECT_EQ(base::as_text(*opened), "4111111111111111");
}

TEST_F(ShimTest, ModuleThatAppendsItsIv) {
  shim().gcm_iv = ShimIv::kAppended;
  const auto crypto = open();
  ASSERT_EQ(crypto->state(), HsmState::kReady);
  const auto sealed = crypto->encrypt(kPanKey, text_, text_);
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sealed->iv.size(), 12U);
  EXPECT_EQ(sealed->ciphertext.size(), 32U);
  const auto opened = crypto->decrypt(kPanKey, *sealed, text_);
  ASSERT_TRUE(opened);
  EXPECT_EQ(base::as_text(*opened), "4111111111111111");
}

TEST_F(ShimTest, RepeatingRandomGeneratorIsRefusedAtStart) {
  shim().constant_iv = true;
  EXPECT_THAT(start_error(config_), ::testing::HasSubstr("random generator repeats"));
}

TEST_F(ShimTest, NoSessionIsOpenedAndNoKeySoughtPerCall) {
  const auto crypto = open();
  const auto opens = shim().opens.load();
  const auto finds = shim().finds.load();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(crypto->mac(kIndexKey, text_));
  EXPECT_EQ(shim().opens, opens);
  EXPECT_EQ(shim().finds, finds);
}

TEST_F(ShimTest, EveryLossIsRecoveredByItself) {
  const auto crypto = open();
  for (const CK_RV rv : {CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED, CKR_DEVICE_REMOVED,
                         CKR_TOKEN_NOT_PRESENT, CKR_USER_NOT_LOGGED_IN, CKR_KEY_HANDLE_INVALID,
                         CKR_OBJECT_HANDLE_INVALID, CKR_CRYPTOKI_NOT_INITIALIZED}) {
    shim().fail_once_with = rv;
    const auto lost = crypto->mac(kIndexKey, text_);
    EXPECT_EQ(code_of(lost), Code::kHsmUnavailable) << ckr_name(rv);
    EXPECT_EQ(lost.error().number, static_cast<long>(rv));
    ASSERT_TRUE(reaches(*crypto, HsmState::kReady)) << ckr_name(rv);
    EXPECT_TRUE(crypto->mac(kIndexKey, text_)) << ckr_name(rv);
  }
  EXPECT_EQ(events_until(HsmState::kReady, 16).size(), 16U) << "each is reported";
}

TEST_F(ShimTest, AnOutageIsAnsweredAtOnceAndReportedOnce) {
  const auto crypto = open();
  shim().fail_with = CKR_DEVICE_ERROR;
  EXPECT_EQ(code_of(crypto->mac(kIndexKey, text_)), Code::kHsmUnavailable);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(code_of(crypto->mac(kIndexKey, text_)), Code::kHsmUnavailable);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(2000));
  std::this_thread::sleep_for(milliseconds(700));  // a few retries
  EXPECT_THAT(events_until(HsmState::kUnavailable), ::testing::ElementsAre(HsmState::kUnavailable));
  shim().fail_with = 0;
  ASSERT_TRUE(reaches(*crypto, HsmState::kReady));
  EXPECT_TRUE(crypto->mac(kIndexKey, text_));
  EXPECT_THAT(events_until(HsmState::kReady),
              ::testing::ElementsAre(HsmState::kUnavailable, HsmState::kReady));
}

TEST_F(ShimTest, OneFailureOfAHealthyTokenIsNoOutage) {
  const auto crypto = open();
  shim().fail_once_with = CKR_FUNCTION_FAILED;
  EXPECT_TRUE(crypto->mac(kIndexKey, text_)) << "asked once more";
  EXPECT_EQ(crypto->state(), HsmState::kReady);
}

TEST_F(ShimTest, FailureToDecryptIsAnOutageWhenTheCanaryFailsToo) {
  const auto crypto = open();
  const auto sealed = crypto->encrypt(kPanKey, text_, text_);
  ASSERT_TRUE(sealed);
  shim().fail_with = CKR_GENERAL_ERROR;
  EXPECT_EQ(code_of(crypto->decrypt(kPanKey, *sealed, text_)), Code::kHsmUnavailable);
  shim().fail_with = 0;
  ASSERT_TRUE(reaches(*crypto, HsmState::kReady));
  EXPECT_TRUE(crypto->decrypt(kPanKey, *sealed, text_));
}

TEST_F(ShimTest, WrongPinIsTriedOnceOnly) {
  shim().fail_login_with = CKR_PIN_INCORRECT;
  shim().fail_logins = 1000;
  const auto crypto = open();
  EXPECT_EQ(crypto->state(), HsmState::kPinRefused);
  std::this_thread::sleep_for(milliseconds(800));
  EXPECT_EQ(shim().logins, 1U);
  EXPECT_EQ(code_of(crypto->mac(kIndexKey, text_)), Code::kHsmPinRefused);
  EXPECT_EQ(code_of(crypto->adopt()), Code::kHsmPinRefused);
  EXPECT_EQ(shim().logins, 1U);
  EXPECT_THAT(events_until(HsmState::kPinRefused), ::testing::ElementsAre(HsmState::kPinRefused));
}

TEST_F(ShimTest, PinRefusedDuringRecoveryIsTriedOnceOnly) {
  const auto crypto = open();
  shim().fail_login_with = CKR_PIN_LOCKED;
  shim().fail_logins = 1000;
  shim().fail_once_with = CKR_USER_NOT_LOGGED_IN;
  EXPECT_FALSE(crypto->mac(kIndexKey, text_));
  ASSERT_TRUE(reaches(*crypto, HsmState::kPinRefused));
  std::this_thread::sleep_for(milliseconds(600));
  EXPECT_EQ(shim().logins, 2U);  // the one at the start, and the refused one
}

TEST_F(ShimTest, RacingLoginsAreRetriedAndNotCountedAsABadPin) {
  for (const CK_RV rv :
       {CKR_TOKEN_NOT_RECOGNIZED, CKR_USER_PIN_NOT_INITIALIZED, CKR_GENERAL_ERROR}) {
    shim().fail_login_with = rv;
    shim().fail_logins = 1000;
    const auto crypto = open();
    EXPECT_EQ(crypto->state(), HsmState::kUnavailable) << ckr_name(rv);
    shim().fail_logins = 0;
    EXPECT_TRUE(reaches(*crypto, HsmState::kReady)) << ckr_name(rv);
  }
}

TEST_F(ShimTest, AlreadyLoggedInIsFine) {
  shim().login_twice = true;
  const auto crypto = open();
  EXPECT_EQ(crypto->state(), HsmState::kReady);
  EXPECT_TRUE(crypto->mac(kIndexKey, text_));
}

TEST_F(ShimTest, StuckCallIsReportedOnceItPassesItsDeadline) {
  config_.call_timeout_ms = 100;
  std::atomic<long> age_ms = 0;
  std::atomic<int> reports = 0;
  const auto crypto = TokenCrypto::open(config_, {.on_change = {},
                                                  .on_stuck =
                                                      [&](milliseconds age) {
                                                        age_ms = age.count();
                                                        ++reports;
                                                      },
                                                  .expected_kcvs = {}});
  EXPECT_FALSE(crypto->oldest_call_age());
  shim().delay_us = 1'000'000;
  std::jthread caller([&] { static_cast<void>(crypto->mac(kIndexKey, text_)); });
  bool seen = false;
  for (int i = 0; reports == 0 && i < 6000; ++i) {
    seen = seen || crypto->oldest_call_age();
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_TRUE(seen || crypto->oldest_call_age());
  EXPECT_EQ(reports, 1);
  EXPECT_GE(age_ms, 100);
  caller.join();
  shim().delay_us = 0;
}

TEST_F(ShimTest, ManySessionsOverlapSlowCalls) {
  config_.sessions = 8;
  const auto crypto = open();
  shim().delay_us = 1'000'000;
  const auto begin = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 8; ++i) {
      callers.emplace_back([&] { EXPECT_TRUE(crypto->mac(kIndexKey, text_)); });
    }
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(7000)) << "8 in turn take 8 s";
}

}  // namespace
}  // namespace cardvault::hsm::testing
