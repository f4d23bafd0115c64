#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/daemon/secret_calls.h"

namespace cardvault::daemon {
namespace {

constexpr std::string_view kChange = "change_password";

TEST(SecretEnroll, VerifiesWhatWasEnrolled) {
  SecretVault vault;
  EXPECT_EQ(vault.enroll(), "ok");
  EXPECT_EQ(vault.enroll("2580", kQuick), "ok");
  EXPECT_EQ(vault.check(kPassword), "verified");
  EXPECT_EQ(vault.check("2580", kQuick), "verified");
  EXPECT_EQ(vault.check("2580"), "verification_failed 2");
  EXPECT_EQ(vault.check(kPassword, kPass, "+77010000002"), "verification_failed 2");
}

TEST(SecretEnroll, HappensOncePerKind) {
  SecretVault vault;
  EXPECT_EQ(vault.enroll(), "ok");
  EXPECT_EQ(vault.enroll(kNewPassword), "already_enrolled");
  EXPECT_EQ(vault.check(kPassword), "verified");
}

TEST(SecretEnroll, OneOfManyParallelOnesWins) {
  SecretVault vault;
  std::atomic<int> enrolled = 0;
  std::atomic<int> refused = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 20; ++i) {
      threads.emplace_back([&] {
        const std::string outcome = vault.enroll();
        enrolled += outcome == "ok" ? 1 : 0;
        refused += outcome == "already_enrolled" ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(enrolled, 1);
  EXPECT_EQ(refused, 19);
}

TEST(SecretEnroll, KeepsNothingThatCouldBeGuessedOffline) {
  SecretVault vault;
  vault.enroll();
  vault.enroll(kPassword, kPass, "+77010000002");
  const auto one = vault.row();
  const auto two = vault.row(kPass, "+77010000002");
  EXPECT_NE(one->salt, two->salt);
  EXPECT_EQ(one->sealed.ciphertext.size(), 32U + 16U);  // an output and its tag
  EXPECT_NE(one->sealed.ciphertext, two->sealed.ciphertext);
  EXPECT_EQ(vault.invocations.used({core::KeyPurpose::kSecretEnc, 1}), 2U);
  EXPECT_EQ(vault.count_in_log("Tulips"), 0U);
}

TEST(SecretEnroll, RefusesWhatIsEasilyGuessed) {
  SecretVault vault;
  EXPECT_EQ(vault.enroll("password1"), "secret_too_weak");
  EXPECT_EQ(vault.enroll("short"), "secret_too_weak");
  EXPECT_EQ(vault.enroll(kOwner), "secret_too_weak");
  EXPECT_EQ(vault.enroll("4111111111111111"), "pan_in_field");
  EXPECT_EQ(vault.enroll("1234", kQuick), "secret_too_weak");
  EXPECT_EQ(vault.enroll("25801", kQuick), "invalid_field");
  EXPECT_EQ(vault.enroll(kPassword, kPass, "4111111111111111"), "pan_in_field");
  EXPECT_EQ(vault.enroll(kPassword, kPass, ""), "invalid_subject");
  EXPECT_FALSE(vault.customer());
  EXPECT_EQ(vault.count_in_log("secret.enroll"), 8U);  // refusals are events too
}

TEST(SecretEnroll, MakesTheSubjectACustomer) {
  SecretVault vault;
  EXPECT_FALSE(vault.customer());
  vault.enroll();
  const auto made = vault.customer();
  ASSERT_TRUE(made);
  vault.tokenize("4111111111111111", kOwner);
  EXPECT_EQ(vault.customer()->id, made->id);
}

TEST(SecretEnroll, BecomingKnownForgetsNoFailures) {
  SecretVault vault;
  EXPECT_EQ(vault.check("wrong one"), "verification_failed 2");
  EXPECT_EQ(vault.check("wrong one"), "verification_failed 1");
  EXPECT_EQ(vault.enroll(), "ok");
  EXPECT_EQ(vault.check("wrong one"), "verification_failed 0");
  EXPECT_EQ(vault.check(kPassword), "locked 900");
}

TEST(SecretEnroll, SpendsACodeWhereConfigured) {
  SecretVault vault;
  vault.change_settings([](auto& settings) { settings.secrets.enroll_code = kLogin; });
  EXPECT_EQ(vault.enroll(), "confirmation_required");
  vault.confirm(kLogin);
  EXPECT_EQ(vault.enroll(), "ok");
  EXPECT_EQ(vault.enroll("2580", kQuick), "confirmation_required");  // it was spent
}

TEST(SecretEnroll, NeedsItsPermission) {
  SecretVault vault;
  core::SecretEnroll request;
  request.subject = base::SecretText(kOwner);
  request.secret = base::SecretText(kPassword);
  EXPECT_EQ(outcome_text(vault.call(TestVault::kProcessor, std::move(request))),
            "permission_denied");
}

TEST(SecretEnroll, StopsWhileTheClockIsInDoubt) {
  SecretVault vault;
  vault.enroll();
  vault.clock.trust = false;
  EXPECT_EQ(vault.enroll("2580", kQuick), "clock_suspect 10");
  EXPECT_EQ(vault.check(kPassword), "clock_suspect 10");
}

TEST(SecretEnroll, AFrozenCustomerChangesNothing) {
  SecretVault vault;
  vault.enroll();
  vault.freeze_customer();
  vault.change_settings([](auto& settings) { settings.secrets.change_code = ""; });
  EXPECT_EQ(vault.enroll("2580", kQuick), "customer_frozen");
  EXPECT_EQ(vault.change(), "customer_frozen");
  EXPECT_EQ(vault.remove(), "customer_frozen");
  EXPECT_EQ(vault.check(kPassword), "customer_frozen");
}

TEST(SecretChange, SpendsAVerifiedCode) {
  SecretVault vault;
  vault.enroll();
  EXPECT_EQ(vault.change(), "confirmation_required");
  const std::string code = sealed_code(vault, kOwner, kChange);
  EXPECT_EQ(vault.change(), "confirmation_required");  // sent is not verified
  EXPECT_EQ(verify(vault, kOwner, code, kChange), "verified");
  EXPECT_EQ(vault.change(), "ok");
  EXPECT_EQ(vault.check(kNewPassword), "verified");
  EXPECT_EQ(vault.check(kPassword), "verification_failed 2");
  EXPECT_EQ(vault.change("A third one, then"), "confirmation_required");
}

TEST(SecretChange, TakesNoOtherCode) {
  SecretVault vault;
  vault.enroll();
  vault.confirm(kLogin);                   // another purpose
  vault.confirm(kChange, "+77010000002");  // another subject
  EXPECT_EQ(vault.change(), "confirmation_required");
  vault.confirm(kChange);
  vault.clock.now += 901'000;  // longer ago than a verified code lasts
  EXPECT_EQ(vault.change(), "confirmation_required");
}

TEST(SecretChange, AWeakSecretSpendsNoCode) {
  SecretVault vault;
  vault.enroll();
  vault.confirm(kChange);
  EXPECT_EQ(vault.change("password123"), "secret_too_weak");
  EXPECT_EQ(vault.change(), "ok");
}

TEST(SecretChange, NeedsOneToChange) {
  SecretVault vault;
  EXPECT_EQ(vault.change(), "not_enrolled");
  EXPECT_FALSE(vault.customer());
  vault.confirm(kChange);
  EXPECT_EQ(vault.change(), "not_enrolled");
  vault.enroll("2580", kQuick);
  EXPECT_EQ(vault.change(), "not_enrolled");  // of that kind
}

TEST(SecretChange, OneCodeChangesOneSecret) {
  SecretVault vault;
  vault.enroll();
  vault.confirm(kChange);
  std::atomic<int> changed = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 20; ++i) {
      threads.emplace_back([&] { changed += vault.change() == "ok" ? 1 : 0; });
    }
  }
  EXPECT_EQ(changed, 1);
}

TEST(SecretChange, OutlastsNoLock) {
  SecretVault vault;
  vault.enroll();
  for (int i = 0; i < 3; ++i) vault.check("wrong one");
  vault.confirm(kChange);
  EXPECT_EQ(vault.change(), "ok");
  EXPECT_EQ(vault.check(kNewPassword), "locked 900");
  vault.clock.now += 900'000;
  EXPECT_EQ(vault.check(kNewPassword), "verified");
}

TEST(SecretChange, KeepsWhenItWasEnrolled) {
  SecretVault vault;
  vault.enroll();
  const auto before = *vault.row();
  vault.clock.now += 5000;
  vault.confirm(kChange);
  vault.change();
  EXPECT_EQ(vault.row()->created_ms, before.created_ms);
  EXPECT_EQ(vault.row()->changed_ms, before.changed_ms + 5000);
}

TEST(SecretRemove, SpendsAVerifiedCodeAsAChangeDoes) {
  SecretVault vault;
  vault.enroll();
  EXPECT_EQ(vault.remove(), "confirmation_required");
  vault.confirm(kChange);
  EXPECT_EQ(vault.remove(), "ok");
  EXPECT_FALSE(vault.row());
  EXPECT_EQ(vault.check(kPassword), "verification_failed 2");
  EXPECT_EQ(vault.enroll(kNewPassword), "ok");
  EXPECT_EQ(vault.check(kNewPassword), "verified");
}

TEST(SecretRemove, NeedsOneToRemove) {
  SecretVault vault;
  EXPECT_EQ(vault.remove(), "not_enrolled");
  vault.enroll();
  EXPECT_EQ(vault.remove(kQuick), "not_enrolled");
  EXPECT_EQ(vault.count_in_log("secret.remove"), 2U);
}

}  // namespace
}  // namespace cardvault::daemon
