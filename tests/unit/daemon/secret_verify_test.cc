#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/daemon/secret_calls.h"
#include "vault/core/text_form.h"

namespace cardvault::daemon {
namespace {

using testing::HasSubstr;

TEST(SecretVerify, AnswersAReceipt) {
  SecretVault vault;
  vault.enroll();
  const auto answer = vault.ask(kPassword);
  const auto* verified = std::get_if<core::VerifiedAnswer>(&answer);
  ASSERT_NE(verified, nullptr);
  EXPECT_THAT(verified->receipt, HasSubstr("jws cardvault-receipt+jwt "));
  EXPECT_EQ(fakes::claim(verified->receipt, "sub"), kOwner);
  EXPECT_EQ(fakes::claim(verified->receipt, "purpose"), "password");
  EXPECT_EQ(fakes::claim(verified->receipt, "iat"), std::to_string(vault.clock.now / 1000));
  EXPECT_EQ(fakes::claim(verified->receipt, "exp"), std::to_string(vault.clock.now / 1000 + 900));
  EXPECT_EQ(fakes::claim(verified->receipt, "jti").size(), 32U);
}

TEST(SecretVerify, OfAQuickCodeSaysSo) {
  SecretVault vault;
  vault.enroll("2580", kQuick);
  const auto answer = vault.ask("2580", kQuick);
  EXPECT_EQ(fakes::claim(std::get<core::VerifiedAnswer>(answer).receipt, "purpose"), "quick_code");
}

TEST(SecretVerify, SignsNothingForAWrongOne) {
  SecretVault vault;
  vault.enroll();
  const auto before = vault.sealer.calls();
  vault.check("wrong one");
  EXPECT_EQ(vault.sealer.calls(), before);
}

TEST(SecretVerify, AbsentAndWrongAreOneAnswer) {
  SecretVault vault;
  vault.enroll();
  const std::vector<std::string> want = {"verification_failed 2", "verification_failed 1",
                                         "verification_failed 0", "locked 900", "locked 900"};
  for (const std::string_view subject : {kOwner, std::string_view("+77010000009")}) {
    std::vector<std::string> got;
    for (std::size_t i = 0; i < want.size(); ++i) {
      got.push_back(vault.check("wrong one", kPass, subject));
    }
    EXPECT_EQ(got, want) << subject;
  }
  EXPECT_EQ(vault.check(kPassword), "locked 900");
}

TEST(SecretVerify, AbsentAndWrongCostTheSame) {
  SecretVault vault;
  vault.enroll();
  vault.check("wrong one", kPass, "+77010000008");  // the decoy is made
  const auto calls_of = [&](std::string_view subject) {
    const auto before = vault.crypto.calls();
    vault.check("wrong one", kPass, subject);
    return vault.crypto.calls() - before;
  };
  const auto wrong = calls_of(kOwner);
  EXPECT_EQ(wrong, calls_of("+77010000009"));
  EXPECT_EQ(wrong, 2U);  // a fingerprint and a decryption
}

TEST(SecretVerify, WhileLockedNothingIsComputed) {
  SecretVault vault;
  vault.enroll();
  for (int i = 0; i < 3; ++i) vault.check("wrong one");
  const auto before = vault.crypto.calls();
  EXPECT_EQ(vault.check(kPassword), "locked 900");
  EXPECT_EQ(vault.crypto.calls() - before, 1U);  // the fingerprint
}

TEST(SecretVerify, ALockedTryNamesTheCustomer) {
  SecretVault vault;
  vault.enroll();
  for (int i = 0; i < 3; ++i) vault.check("wrong one");
  EXPECT_EQ(vault.check(kPassword), "locked 900");
  const std::vector<std::string> lines = vault.log();
  EXPECT_THAT(lines.at(lines.size() - 2), HasSubstr(R"("lock":"scope")"));
  EXPECT_THAT(lines.back(), HasSubstr(R"("outcome":"locked")"));
  EXPECT_THAT(lines.back(),
              HasSubstr(R"("customer":")" + core::to_hex(vault.customer()->id) + '"'));
}

TEST(SecretVerify, ALockEndsAndOutlivesARestart) {
  SecretVault vault;
  vault.enroll();
  for (int i = 0; i < 3; ++i) vault.check("wrong one");
  vault.restart();
  EXPECT_EQ(vault.check(kPassword), "locked 900");
  vault.clock.now += 899'000;
  EXPECT_EQ(vault.check(kPassword), "locked 1");
  vault.clock.now += 1'000;
  EXPECT_EQ(vault.check(kPassword), "verified");
}

TEST(SecretVerify, KindsLockApart) {
  SecretVault vault;
  vault.enroll();
  vault.enroll("2580", kQuick);
  for (int i = 0; i < 3; ++i) vault.check("0000", kQuick);
  EXPECT_EQ(vault.check("2580", kQuick), "locked 900");
  EXPECT_EQ(vault.check(kPassword), "verified");
}

TEST(SecretVerify, ARightOneForgivesTheWrongOnesBefore) {
  SecretVault vault;
  vault.enroll();
  vault.check("wrong one");
  vault.check("wrong one");
  EXPECT_EQ(vault.check(kPassword), "verified");
  EXPECT_EQ(vault.check("wrong one"), "verification_failed 2");
}

TEST(SecretVerify, AHundredParallelWrongOnesCountThree) {
  SecretVault vault;
  vault.enroll();
  const auto outcomes = vault.check_in_parallel(100, "wrong one");
  EXPECT_EQ(std::ranges::count(outcomes, "verification_failed 2"), 1);
  EXPECT_EQ(std::ranges::count(outcomes, "verification_failed 1"), 1);
  EXPECT_EQ(std::ranges::count(outcomes, "verification_failed 0"), 1);
  EXPECT_EQ(std::ranges::count(outcomes, "locked 900"), 97);
  EXPECT_EQ(vault.count_in_log("secret.verify"), 100U);
}

TEST(SecretVerify, AHundredParallelRightOnesAllSucceed) {
  SecretVault vault;
  vault.enroll();
  EXPECT_EQ(std::ranges::count(vault.check_in_parallel(100, kPassword), "verified"), 100);
}

TEST(SecretVerify, ARightOneTakesTheSettingsNewCost) {
  SecretVault vault;
  vault.enroll();
  const auto before = *vault.row();
  vault.change_settings([](auto& settings) { settings.secrets.argon2_memory_kib = 128; });
  EXPECT_EQ(vault.check("wrong one"), "verification_failed 2");
  EXPECT_EQ(vault.row()->memory_kib, 64U);
  EXPECT_EQ(vault.check(kPassword), "verified");
  EXPECT_EQ(vault.row()->memory_kib, 128U);
  EXPECT_NE(vault.row()->salt, before.salt);
  EXPECT_EQ(vault.row()->created_ms, before.created_ms);
  EXPECT_EQ(vault.row()->changed_ms, before.changed_ms);
  EXPECT_EQ(vault.check(kPassword), "verified");
  EXPECT_EQ(vault.check("wrong one"), "verification_failed 2");
}

TEST(SecretVerify, ManyRightOnesAtOnceTakeTheNewCostToo) {
  SecretVault vault;
  vault.enroll();
  vault.change_settings([](auto& settings) { settings.secrets.argon2_passes = 2; });
  EXPECT_EQ(std::ranges::count(vault.check_in_parallel(20, kPassword), "verified"), 20);
  EXPECT_EQ(vault.row()->passes, 2U);
}

TEST(SecretVerify, ARowOfSomebodyElseDoesNotOpen) {
  SecretVault vault;
  vault.enroll();
  vault.enroll("My own password", kPass, "+77010000666");
  // Whoever can write to the database puts a row whose password they know in another's place.
  auto row = *vault.row(kPass, "+77010000666");
  row.subject = vault.customer()->row;
  vault.write([&](core::Transaction& tx) { return tx.put_secret(row); });
  EXPECT_EQ(vault.check("My own password"), "record_damaged");
}

TEST(SecretVerify, ARowMadeCheaperDoesNotOpen) {
  SecretVault vault;
  vault.change_settings([](auto& settings) { settings.secrets.argon2_memory_kib = 128; });
  vault.enroll();
  auto row = *vault.row();
  row.memory_kib = 64;
  vault.write([&](core::Transaction& tx) { return tx.put_secret(row); });
  EXPECT_EQ(vault.check(kPassword), "record_damaged");
}

TEST(SecretVerify, AnOutageCountsNothing) {
  SecretVault vault;
  vault.enroll();
  vault.crypto.set_down(true);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(vault.check("wrong one"), "hsm_unavailable 1");
  vault.crypto.set_down(false);
  EXPECT_EQ(vault.check("wrong one"), "verification_failed 2");
}

TEST(SecretVerify, OldKeyVersionsStillOpen) {
  SecretVault vault;
  vault.enroll();
  EXPECT_EQ(vault.check(kPassword), "verified");
  const core::KeyRef next{core::KeyPurpose::kSecretEnc, 2};
  vault.write([&](core::Transaction& tx) {
    return tx.put_key({next, core::KeyState::kActive, "00", 1, 0});
  });
  vault.crypto.add_key(next);
  vault.keys.set(next);
  EXPECT_EQ(vault.check(kPassword), "verified");
  EXPECT_EQ(vault.row()->key_version, 1U);
}

TEST(SecretVerify, RefusesWhatIsNoSecret) {
  SecretVault vault;
  vault.enroll();
  EXPECT_EQ(vault.check(""), "invalid_field");
  EXPECT_EQ(vault.check(std::string(257, 'x')), "invalid_field");
  EXPECT_EQ(vault.check("\xff\xff\xff\xff\xff\xff\xff\xff"), "invalid_field");
  EXPECT_EQ(vault.check("wrong one"), "verification_failed 2");  // none was counted
}

}  // namespace
}  // namespace cardvault::daemon
