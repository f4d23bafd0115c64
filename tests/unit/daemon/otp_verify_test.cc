// otp.verify and otp.cancel: one success, one answer for all that is wrong, a receipt.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "tests/unit/daemon/otp_calls.h"

namespace cardvault::daemon {
namespace {

constexpr const char* kSubject = "+77011234567";

const std::vector<std::string> kToTheLock = {"verification_failed 2", "verification_failed 1",
                                             "verification_failed 0", "locked 900", "locked 900"};

std::vector<std::string> tries(TestVault& vault, const core::OtpVerify& like) {
  std::vector<std::string> outcomes;
  for (std::size_t i = 0; i < kToTheLock.size(); ++i) {
    core::OtpVerify request{like.subject.clone(), like.purpose, like.context, like.code.clone()};
    outcomes.push_back(outcome_text(vault.call(TestVault::kWeb, std::move(request))));
  }
  return outcomes;
}

std::string cancel(TestVault& vault, std::string_view subject, std::string_view purpose = kLogin) {
  return outcome_text(vault.call(TestVault::kWeb,
                                 core::OtpCancel{base::SecretText(subject), std::string(purpose)}));
}

TEST(OtpVerify, GivesAReceiptThatSaysWhatWasConfirmed) {
  TestVault vault;
  const std::string code = sealed_code(vault, kSubject, kPayment);
  vault.clock.now += 5'000;
  const auto answer = vault.call(TestVault::kWeb, verify_request(kSubject, code, kPayment));
  ASSERT_EQ(outcome_text(answer), "verified");
  const std::string& receipt = std::get<core::VerifiedAnswer>(answer).receipt;
  EXPECT_TRUE(receipt.starts_with("jws cardvault-receipt+jwt {\"iss\":\"cardvault\","));
  EXPECT_EQ(fakes::claim(receipt, "sub"), kSubject);
  EXPECT_EQ(fakes::claim(receipt, "purpose"), kPayment);
  EXPECT_EQ(fakes::claim(receipt, "iat"), std::to_string(vault.clock.now / 1000));
  EXPECT_EQ(fakes::claim(receipt, "exp"), std::to_string(vault.clock.now / 1000 + 900));
  EXPECT_NE(receipt.find(R"("context":{"amount":1500000,"currency":"KZT","payee":"Green Grocer"})"),
            std::string::npos);
  const std::string id = fakes::claim(receipt, "code_id");
  EXPECT_EQ(id.size(), 32U);
  const std::string line = vault.log().back();
  EXPECT_NE(line.find("\"op\":\"otp.verify\",\"outcome\":\"ok\""), std::string::npos) << line;
  EXPECT_NE(line.find("\"resource\":\"" + id), std::string::npos) << line;
  EXPECT_EQ(vault.count_in_log(kSubject), 0U);
}

struct Wrong {
  const char* name;
  core::OtpVerify (*request)(TestVault&);
  const char* reason;
};

class OtpVerifyWrong : public testing::TestWithParam<Wrong> {};

// Whatever is wrong: the same answers, the same calls of the HSM, the same lock.
TEST_P(OtpVerifyWrong, HasOneAnswer) {
  TestVault vault;
  const core::OtpVerify request = GetParam().request(vault);
  const auto calls = vault.crypto.calls();
  const auto first = core::OtpVerify{request.subject.clone(), request.purpose, request.context,
                                     request.code.clone()};
  EXPECT_EQ(tries(vault, first), kToTheLock);
  EXPECT_EQ(vault.crypto.calls() - calls, 2 * kToTheLock.size());
  EXPECT_EQ(vault.count_in_log("\"reason\":\"" + std::string(GetParam().reason)), 3U);
  EXPECT_EQ(vault.count_in_log("\"outcome\":\"locked"), 2U);
}

INSTANTIATE_TEST_SUITE_P(
    Table, OtpVerifyWrong,
    testing::Values(
        Wrong{"NobodyKnown", [](TestVault&) { return verify_request(kSubject, "123456"); },
              "no_code"},
        Wrong{"NoCode",
              [](TestVault& vault) {
                static_cast<void>(vault.token("4111111111111111", kSubject));
                return verify_request(kSubject, "123456");
              },
              "no_code"},
        Wrong{"OtherCode",
              [](TestVault& vault) {
                return verify_request(kSubject, wrong(sealed_code(vault, kSubject)));
              },
              "mismatch"},
        Wrong{"OtherLength",
              [](TestVault& vault) {
                return verify_request(kSubject, "0" + sealed_code(vault, kSubject));
              },
              "mismatch"},
        Wrong{"Expired",
              [](TestVault& vault) {
                auto request = verify_request(kSubject, sealed_code(vault, kSubject));
                vault.clock.now += 900'000;
                return request;
              },
              "expired"},
        Wrong{"Superseded",
              [](TestVault& vault) {
                core::OtpSeal ten = seal_request(kSubject);
                ten.digits = 10;  // the newer code can't be the same by chance
                auto request = verify_request(kSubject, sealed_code(vault, std::move(ten)));
                vault.clock.now += 60'000;
                static_cast<void>(sealed_code(vault, kSubject));
                return request;
              },
              "mismatch"},
        Wrong{"Used",
              [](TestVault& vault) {
                const std::string code = sealed_code(vault, kSubject);
                EXPECT_EQ(verify(vault, kSubject, code), "verified");
                return verify_request(kSubject, code);
              },
              "used"},
        Wrong{"Cancelled",
              [](TestVault& vault) {
                const std::string code = sealed_code(vault, kSubject);
                EXPECT_EQ(cancel(vault, kSubject), "ok");
                return verify_request(kSubject, code);
              },
              "no_code"},
        Wrong{"OtherPurpose",
              [](TestVault& vault) {
                return verify_request(kSubject, sealed_code(vault, kSubject), "change_password");
              },
              "no_code"},
        Wrong{"OtherAmount",
              [](TestVault& vault) {
                auto r = verify_request(kSubject, sealed_code(vault, kSubject, kPayment), kPayment);
                ++r.context->amount;
                return r;
              },
              "mismatch"},
        Wrong{"OtherCurrency",
              [](TestVault& vault) {
                auto r = verify_request(kSubject, sealed_code(vault, kSubject, kPayment), kPayment);
                r.context->currency = "KZS";
                return r;
              },
              "mismatch"},
        Wrong{"OtherPayee",
              [](TestVault& vault) {
                auto r = verify_request(kSubject, sealed_code(vault, kSubject, kPayment), kPayment);
                r.context->payee += " ";
                return r;
              },
              "mismatch"},
        Wrong{"ContextOfNone",
              [](TestVault& vault) {
                auto r = verify_request(kSubject, sealed_code(vault, kSubject));
                r.context = groceries();
                return r;
              },
              "mismatch"}),
    [](const auto& param) { return param.param.name; });

TEST(OtpVerify, IsNoTryWhenItsFormIsWrong) {
  TestVault vault;
  EXPECT_EQ(verify(vault, kSubject, "12345"), "invalid_field");
  EXPECT_EQ(verify(vault, kSubject, "12345x"), "invalid_field");
  EXPECT_EQ(verify(vault, kSubject, "123456", "anything"), "otp_purpose_unknown");
  EXPECT_EQ(verify(vault, "", "123456"), "invalid_subject");
  core::OtpVerify bare = verify_request(kSubject, "123456", kPayment);
  bare.context.reset();
  EXPECT_EQ(outcome_text(vault.call(TestVault::kWeb, std::move(bare))), "invalid_context");
  EXPECT_EQ(vault.count_in_log("anything"), 0U);
  EXPECT_EQ(verify(vault, kSubject, "123456"), "verification_failed 2");
}

TEST(OtpVerify, NeedsItsPermission) {
  TestVault vault;
  EXPECT_EQ(outcome_text(vault.call(TestVault::kSupport, verify_request(kSubject, "123456"))),
            "permission_denied");
}

TEST(OtpVerify, AHundredParallelRightTriesAreOneSuccess) {
  TestVault vault;
  const std::string code = sealed_code(vault, kSubject);
  const auto outcomes = verify_in_parallel(vault, 100, kSubject, code);
  EXPECT_EQ(std::ranges::count(outcomes, "verified"), 1);
  EXPECT_EQ(vault.count_in_log("\"op\":\"otp.verify\",\"outcome\":\"ok\""), 1U);
  // The others are tries of a used code, counted as such.
  EXPECT_EQ(std::ranges::count_if(
                outcomes, [](const auto& o) { return o.starts_with("verification_failed"); }),
            3);
  EXPECT_EQ(std::ranges::count(outcomes, "locked 900"), 96);
}

TEST(OtpVerify, AHundredParallelWrongTriesCountExactly) {
  TestVault vault;
  for (const bool known : {true, false}) {
    const std::string subject = known ? kSubject : "+77010000009";
    const std::string code = known ? wrong(sealed_code(vault, subject)) : "123456";
    const auto outcomes = verify_in_parallel(vault, 100, subject, code);
    for (const char* once :
         {"verification_failed 2", "verification_failed 1", "verification_failed 0"}) {
      EXPECT_EQ(std::ranges::count(outcomes, once), 1) << once;
    }
    EXPECT_EQ(std::ranges::count(outcomes, "locked 900"), 97);
  }
}

TEST(OtpVerify, RacingANewCodeItIsTheOldOnesOrWrong) {
  TestVault vault;
  core::Settings settings = *vault.services.settings.load();
  settings.otp.resend_s = 0;
  settings.otp.sends = 0;
  vault.set(settings);
  std::string code = sealed_code(vault, kSubject);
  for (int round = 0; round < 50; ++round) {
    std::string outcome;
    std::string next;
    {
      const std::jthread verifier([&] { outcome = verify(vault, kSubject, code); });
      next = sealed_code(vault, kSubject);
    }
    // What was prepared for one code and decided beside another is prepared again.
    EXPECT_TRUE(outcome == "verified" || outcome == "verification_failed 2") << outcome;
    EXPECT_EQ(verify(vault, kSubject, next), "verified") << round;
    code = sealed_code(vault, kSubject);
  }
}

TEST(OtpVerify, WithoutASignatureThereIsNoReceiptAndNoSecondTry) {
  TestVault vault;
  const std::string code = sealed_code(vault, kSubject);
  vault.sealer.fail_next({base::Code::kInternal, "fake"});
  EXPECT_EQ(verify(vault, kSubject, code), "hsm_unavailable 1");
  EXPECT_EQ(verify(vault, kSubject, code), "verification_failed 2");
}

TEST(OtpVerify, CountsNothingWhileTheHsmIsAway) {
  TestVault vault;
  const std::string code = sealed_code(vault, kSubject);
  vault.crypto.set_down(true);
  EXPECT_EQ(verify(vault, kSubject, code), "hsm_unavailable 1");
  vault.crypto.set_down(false);
  EXPECT_EQ(verify(vault, kSubject, wrong(code)), "verification_failed 2");
  EXPECT_EQ(verify(vault, kSubject, code), "verified");
}

TEST(OtpVerify, OutlivesARotationOfItsKey) {
  TestVault vault;
  const std::string code = sealed_code(vault, kSubject);
  vault.crypto.add_key({core::KeyPurpose::kOtpMac, 2});
  vault.keys.set({core::KeyPurpose::kOtpMac, 2});
  EXPECT_EQ(verify(vault, kSubject, code), "verified");
}

TEST(OtpCancel, VoidsACodeAndNoLock) {
  TestVault vault;
  EXPECT_EQ(cancel(vault, kSubject), "ok");  // nobody
  const std::string code = sealed_code(vault, kSubject, kPayment);
  EXPECT_EQ(cancel(vault, kSubject), "ok");  // another purpose
  EXPECT_EQ(verify(vault, kSubject, wrong(code), kPayment), "verification_failed 2");
  EXPECT_EQ(cancel(vault, kSubject, kPayment), "ok");
  EXPECT_EQ(verify(vault, kSubject, code, kPayment), "verification_failed 1");
  EXPECT_EQ(cancel(vault, kSubject, "anything"), "otp_purpose_unknown");
  EXPECT_EQ(cancel(vault, ""), "invalid_subject");
  EXPECT_EQ(vault.count_in_log("\"op\":\"otp.cancel\""), 5U);
}

}  // namespace
}  // namespace cardvault::daemon
