// Two HSMs: SoftHSM through the shim, and another SoftHSM or NSS beside it.
#include "hsm/token_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "hsm/pkcs11.h"
#include "tests/hsm/signature_check.h"
#include "tests/hsm/token_group_fixture.h"

namespace cardvault::hsm::testing {
namespace {

namespace fs = std::filesystem;
using base::Code;
using core::KeyPurpose;
using core::KeyRef;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(TokenGroupTest, NoCallFailsWhileOneDisappearsAndReturns) {
  TokenGroup& group = open({first_.config, second_.config});
  record();
  ASSERT_EQ(group.token(1).state(), kReady);
  Load load(group);
  std::size_t outages = 0;
  for (const std::size_t one : {0U, 1U, 0U}) {
    Away away(one == 0 ? first_.token_dir() : second_.token_dir());
    ASSERT_TRUE(reaches(one, kAway)) << one;
    const int before = load.rounds;
    ASSERT_TRUE(holds_soon([&] { return load.rounds > before + 20; }));
    EXPECT_EQ(group.state(), kReady);
    away.put_back();
    ASSERT_TRUE(reaches(one, kReady)) << one;
    outages += 1;
    ASSERT_TRUE(reported(2 * outages));
  }
  load.end();
  EXPECT_EQ(load.wrong, 0);
  EXPECT_GT(load.rounds, 60);
  ASSERT_TRUE(reported(6));
  EXPECT_THAT(events(),
              ElementsAre(std::pair(0U, kAway), std::pair(0U, kReady), std::pair(1U, kAway),
                          std::pair(1U, kReady), std::pair(0U, kAway), std::pair(0U, kReady)));
}

TEST_F(TokenGroupTest, ACallThatFindsItsTokenLostIsAskedOfTheOther) {
  open({first_.config, second_.config});
  for (const CK_RV rv : {CKR_DEVICE_REMOVED, CKR_SESSION_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN}) {
    shim().fail_once_with = rv;
    EXPECT_TRUE(group_->mac(kIndexKey, kText));
    EXPECT_EQ(shim().fail_once_with, 0U) << "the first was asked";
    ASSERT_TRUE(reaches(0, kReady));
  }
  shim().fail_with = CKR_DEVICE_ERROR;
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(works());
  EXPECT_EQ(group_->token(0).state(), kAway);
}

TEST_F(TokenGroupTest, WithoutAnyTokenTheErrorSaysSoUntilOneReturns) {
  open({first_.config, second_.config});
  record();
  Away first(first_.token_dir());
  Away second(second_.token_dir());
  ASSERT_TRUE(reaches(0, kAway) && reaches(1, kAway));
  EXPECT_EQ(group_->state(), kAway);
  const auto refused = group_->mac(kIndexKey, kText);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kHsmUnavailable);
  second.put_back();
  ASSERT_TRUE(reaches(1, kReady));
  EXPECT_TRUE(works());
}

TEST_F(TokenGroupTest, ATokenThatIsAwayAtTheStartJoinsWhenItComes) {
  Away first(first_.token_dir());
  open({first_.config, second_.config});
  EXPECT_EQ(group_->state(), kReady);
  EXPECT_TRUE(works());
  first.put_back();
  EXPECT_TRUE(reaches(0, kReady));
}

TEST_F(TokenGroupTest, ALossAtTheStartIsJudgedOnceTheOthersHaveLoggedIn) {
  const Away first(first_.token_dir());
  open({first_.config, second_.config});
  ASSERT_TRUE(reported(1));
  EXPECT_THAT(events(), ElementsAre(std::pair(0U, kAway)));
  EXPECT_EQ(together(), kReady) << "the other serves";
}

TEST_F(TokenGroupTest, AReturningTokenWithAnotherKeyUnderTheSameLabelDoesNotServe) {
  const TestToken stranger(Kind::kSoftHsm, four_keys());
  open({first_.config, second_.config});
  record();
  {
    const Away away(second_.token_dir());
    ASSERT_TRUE(reaches(1, kAway));
    fs::copy(stranger.token_dir(), second_.token_dir(), fs::copy_options::recursive);
    std::this_thread::sleep_for(milliseconds(700));  // a few tries
    EXPECT_EQ(group_->token(1).state(), kAway);
    EXPECT_THAT(events(), ElementsAre(std::pair(1U, kAway))) << "one alarm";
    EXPECT_TRUE(works());
    shim().fail_with = CKR_DEVICE_REMOVED;
    EXPECT_FALSE(works()) << "rather no answer than one by another key";
    shim().fail_with = 0;
    fs::remove_all(second_.token_dir());
  }
  EXPECT_TRUE(reaches(1, kReady));
}

TEST_F(TokenGroupTest, AtTheStartATokenWithOtherKeysDoesNotServeAndIsNamed) {
  const TestToken stranger(Kind::kSoftHsm, four_keys());
  open({first_.config});
  record();
  fs::remove_all(second_.token_dir());
  fs::copy(stranger.token_dir(), second_.token_dir(), fs::copy_options::recursive);
  group_.reset();
  open({first_.config, second_.config});
  EXPECT_EQ(group_->token(0).state(), kReady);
  EXPECT_EQ(group_->token(1).state(), kAway);
  EXPECT_THAT(group_->token(1).cause().operation, HasSubstr("another check value"));
  EXPECT_TRUE(group_->token(1).misfit());
  EXPECT_TRUE(works());
  EXPECT_TRUE(reported(1));
  EXPECT_THAT(events(), ElementsAre(std::pair(1U, kAway)));
}

TEST_F(TokenGroupTest, WithoutCheckValuesCanariesTellOtherKeysApart) {
  const TestToken stranger(Kind::kSoftHsm, four_keys());
  TokenConfig other = second_.config;
  fs::remove_all(second_.token_dir());
  fs::copy(stranger.token_dir(), second_.token_dir(), fs::copy_options::recursive);
  open({first_.config, other});  // nothing is expected
  const bool one_alone =
      (group_->token(0).state() == kReady) != (group_->token(1).state() == kReady);
  EXPECT_TRUE(one_alone) << "whichever was first";
}

TEST_F(TokenGroupTest, ATokenThatLacksAKeyOfTheRegisterServesNoMore) {
  open({first_.config, second_.config});
  record();
  {
    const std::lock_guard lock(mutex_);
    expected_[{KeyPurpose::kPanEnc, 2}] = "0123456789";
    expected_.erase(kSealKey);
  }
  ASSERT_TRUE(reaches(0, kAway) && reaches(1, kAway));
  EXPECT_EQ(group_->token(1).misfit(), (KeyRef{KeyPurpose::kPanEnc, 2}));
  {
    const std::lock_guard lock(mutex_);
    expected_.erase({KeyPurpose::kPanEnc, 2});
  }
  EXPECT_TRUE(reaches(0, kReady) && reaches(1, kReady));
}

TEST_F(TokenGroupTest, ASignatureComesOnlyFromATokenThatHasTheKey) {
  TestToken::Options none = options_with({});
  none.module.clear();
  const TestToken standby(Kind::kNss, none);
  take_keys(first_.config, standby.config,
            {KeyPurpose::kPanEnc, KeyPurpose::kPanIndex, KeyPurpose::kIdEnc});
  open({first_.config});
  record();
  const auto point = group_->public_key(kSealKey)->point;
  group_.reset();
  open({first_.config, standby.config});
  ASSERT_EQ(group_->token(1).state(), kReady) << group_->token(1).cause().operation;
  const auto sealed = group_->encrypt(kPanKey, kText, kText);
  const auto mac = group_->mac(kIndexKey, kText);
  shim().fail_with = CKR_DEVICE_REMOVED;
  const auto refused = group_->sign(kSealKey, kText);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kHsmUnavailable) << "the key is not gone, but away";
  EXPECT_EQ(group_->public_key(kSealKey)->point, point);
  const auto opened = group_->decrypt(kPanKey, *sealed, kText);
  ASSERT_TRUE(opened) << "by another vendor's module";
  EXPECT_EQ(base::as_text(*opened), base::as_text(kText));
  EXPECT_EQ(*group_->mac(kIndexKey, kText), *mac);
  shim().fail_with = 0;
  ASSERT_TRUE(reaches(0, kReady));
  EXPECT_TRUE(verifies(point, kText, *group_->sign(kSealKey, kText)));
}

TEST_F(TokenGroupTest, ARefusedPinOfOneIsTriedOnceAndTheOtherServes) {
  shim().fail_login_with = CKR_PIN_INCORRECT;
  shim().fail_logins = 1000;
  open({first_.config, second_.config});
  EXPECT_EQ(group_->token(0).state(), HsmState::kPinRefused);
  EXPECT_EQ(group_->state(), kReady);
  std::this_thread::sleep_for(milliseconds(600));
  EXPECT_TRUE(works());
  EXPECT_EQ(shim().logins, 1U);
}

TEST_F(TokenGroupTest, ThePinIsRefusedAsAWholeOnlyWhenAllRefuseIt) {
  shim().fail_login_with = CKR_PIN_INCORRECT;
  shim().fail_logins = 1;
  open({first_.config, second_.config});
  ASSERT_TRUE(reported(1));
  EXPECT_THAT(events(), ElementsAre(std::pair(0U, HsmState::kPinRefused)));
  EXPECT_NE(together(), HsmState::kPinRefused);
  group_.reset();
  write_file(first_.pin_file(), "of both, and wrong");
  open({first_.config, second_.config});
  ASSERT_TRUE(reported(3));
  EXPECT_EQ(times_together(HsmState::kPinRefused), 1) << "of the two that refuse it at once";
  EXPECT_EQ(group_->state(), HsmState::kPinRefused);
}

// The one that hangs is second, so that only its own probe or login is in it.
TEST_F(TokenGroupTest, AProbeOrLoginThatHangsHarmsNobodyWhileTheOtherServes) {
  TokenConfig standby = first_.config;
  standby.call_timeout_ms = 500;
  open({second_.config, standby});
  record();
  ASSERT_EQ(group_->token(1).state(), kReady);
  shim().delay_us = 1'500'000;  // each call; a login makes dozens
  ASSERT_TRUE(reaches(1, kAway)) << "the probe doesn't return";
  ASSERT_TRUE(reported(1));
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(works());
  std::this_thread::sleep_for(milliseconds(800));
  EXPECT_TRUE(group_->adopt()) << "of the other; it doesn't wait for this one";
  shim().delay_us = 0;
  ASSERT_TRUE(reaches(1, kReady));
  ASSERT_TRUE(reported(2));
  EXPECT_THAT(events(), ElementsAre(std::pair(1U, kAway), std::pair(1U, kReady)));
  EXPECT_EQ(stuck_, 0);
}

TEST_F(TokenGroupTest, ARequestThatHangsIsReportedWhateverServes) {
  TokenConfig first = first_.config;
  first.call_timeout_ms = 200;
  first.probe_interval_ms = 0;
  open({first, second_.config});
  shim().delay_us = 600'000;
  std::jthread caller([&] { static_cast<void>(group_->mac(kIndexKey, kText)); });
  EXPECT_TRUE(holds_soon([&] { return stuck_ == 1; })) << "nobody can call it back";
  caller.join();
  shim().delay_us = 0;
}

TEST_F(TokenGroupTest, AdoptIsAPauseNotAnError) {
  TokenGroup& group = open({first_.config, second_.config});
  Load load(group);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(group.adopt());
  load.end();
  EXPECT_EQ(load.wrong, 0);
  EXPECT_THAT(events(), IsEmpty());
}

TEST_F(TokenGroupTest, AKeyThatWasTakenBackMayBeMadeAnew) {
  open({first_.config, second_.config});
  record();
  const fs::path before = first_.token_dir().string() + ".before";
  const auto exchange = [&](const fs::path& with, const fs::path& kept) {
    fs::rename(first_.token_dir(), kept);
    fs::rename(with, first_.token_dir());
    return group_->adopt();
  };
  const fs::path one = copy_with_key(first_, "pan-enc/2", "one");
  const fs::path another = copy_with_key(first_, "pan-enc/2", "another");
  ASSERT_TRUE(exchange(one, before));
  ASSERT_TRUE(exchange(before, one)) << "taken back";
  ASSERT_TRUE(exchange(another, before)) << "the register never had the one before";
  EXPECT_EQ(group_->token(0).newest(KeyPurpose::kPanEnc), 2U);
}

TEST_F(TokenGroupTest, KeysLeftOutAreLeftOutOfAll) {
  open({first_.config, second_.config});
  group_->leave_out({kPanKey});
  ASSERT_TRUE(group_->adopt());
  const auto gone = group_->encrypt(kPanKey, kText, kText);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::kKeyMissing);
}

// A network HSM's library serves all the HSMs of a vendor.
TEST_F(TokenGroupTest, TwoTokensOfOneModuleAreRecoveredApart) {
  const TestToken a(Kind::kSoftHsm, four_keys());
  TokenConfig b = a.config;
  const auto uri =
      init_token(b, {"standby", random_pin(), base::SecretText("the same PIN for all of them")});
  ASSERT_TRUE(uri);
  b.token_uri = *uri + "?pin-source=file:" + a.pin_file().string();
  take_keys(a.config, b, {KeyPurpose::kPanEnc, KeyPurpose::kPanIndex, KeyPurpose::kIdEnc});
  open({a.config, b});
  record();
  ASSERT_EQ(group_->token(1).state(), kReady) << group_->token(1).cause().operation;
  const auto ends = [] { return shim().faults.calls[call_index("C_Finalize")].load(); };
  const auto before = ends();
  shim().fail_once_with = CKR_DEVICE_REMOVED;  // whichever is asked next
  Load load(*group_, false);
  ASSERT_TRUE(reported(2));
  ASSERT_TRUE(reaches(0, kReady) && reaches(1, kReady));
  load.end();
  EXPECT_EQ(load.wrong, 0);
  EXPECT_EQ(events().size(), 2U) << "the other went on";
  EXPECT_EQ(ends(), before) << "C_Finalize would have ended the other's sessions";
}

TEST_F(TokenGroupTest, WhatCanNotShareAModuleIsRefusedInWords) {
  const auto refusal = [](const TokenConfig& a, const TokenConfig& b) -> std::string {
    try {
      static_cast<void>(TokenGroup::open({a, b}));
      return "opened";
    } catch (const base::StartupError& error) {
      return error.what();
    }
  };
  TokenConfig other = first_.config;
  other.init_args = "something else";
  EXPECT_THAT(refusal(first_.config, other), HasSubstr("a module is initialised once"));
  EXPECT_THAT(refusal(second_.config, second_.config), HasSubstr("two tokens of one SoftHSM"));
  other = second_.config;
  other.token_uri = "pkcs11:token=cardvault?pin-source=file:/nowhere/pin";
  EXPECT_THAT(refusal(first_.config, other), HasSubstr("cannot read the PIN"));
}

}  // namespace
}  // namespace cardvault::hsm::testing
