// otp.seal: what is in the message, what is refused, pacing, repeats.
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "tests/unit/daemon/otp_calls.h"
#include "vault/core/index_fingerprints.h"

namespace cardvault::daemon {
namespace {

constexpr const char* kSubject = "+77011234567";

core::OtpSealedAnswer sealed(TestVault& vault, core::OtpSeal request) {
  auto answer = vault.call(TestVault::kWeb, std::move(request));
  EXPECT_EQ(outcome_text(answer), "ok");
  return std::move(std::get<core::OtpSealedAnswer>(answer));
}

std::string outcome(TestVault& vault, core::OtpSeal request) {
  return outcome_text(vault.call(TestVault::kWeb, std::move(request)));
}

core::OtpSeal keyed(std::string_view subject, const char* key) {
  core::OtpSeal request = seal_request(subject);
  request.idempotency_key = key;
  return request;
}

TEST(OtpSeal, SealsTheCodeWithWhatItIsForToItsRecipient) {
  TestVault vault;
  core::OtpSeal request = seal_request(kSubject, kPayment);
  request.context->payee = "A \"quoted\\\" shop";
  const auto answer = sealed(vault, std::move(request));
  const std::string& message = answer.sealed;
  EXPECT_TRUE(message.starts_with("jwe sms-gateway jws cardvault-otp+jwt {\"iss\":\"cardvault\","));
  EXPECT_EQ(fakes::claim(message, "aud"), "sms-gateway");
  EXPECT_EQ(fakes::claim(message, "sub"), kSubject);
  EXPECT_EQ(fakes::claim(message, "purpose"), kPayment);
  EXPECT_EQ(fakes::claim(message, "iat"), std::to_string(vault.clock.now / 1000));
  EXPECT_EQ(fakes::claim(message, "exp"), std::to_string(vault.clock.now / 1000 + 900));
  EXPECT_EQ(fakes::claim(message, "jti").size(), 32U);
  EXPECT_EQ(fakes::claim(message, "code").size(), 6U);
  EXPECT_NE(message.find(R"("context":{"amount":1500000,"currency":"KZT",)"
                         R"("payee":"A \"quoted\\\" shop"}})"),
            std::string::npos)
      << message;
  EXPECT_TRUE(answer.code.empty());
  EXPECT_EQ(answer.id.size(), 32U);
  EXPECT_EQ(answer.expires_ms, vault.clock.now + 900'000);
  EXPECT_EQ(answer.resend_after_s, 60U);
}

TEST(OtpSeal, LogsWhatItWasForAndNeitherCodeNorSubjectNorPayee) {
  TestVault vault;
  const auto answer = sealed(vault, seal_request(kSubject, kPayment));
  const std::string line = vault.log().back();
  for (const std::string& part : std::vector<std::string>{
           "\"op\":\"otp.seal\"", "\"resource\":\"" + answer.id,
           "\"purpose\":\"confirm_transaction\"", "\"recipient\":\"sms-gateway\"",
           "\"amount\":\"1500000\"", "\"currency\":\"KZT\"", "\"customer\":\""}) {
    EXPECT_NE(line.find(part), std::string::npos) << part << line;
  }
  EXPECT_EQ(vault.count_in_log("Grocer"), 0U);
  EXPECT_EQ(vault.count_in_log(kSubject), 0U);
  EXPECT_EQ(vault.count_in_log("\"" + fakes::claim(answer.sealed, "code")), 0U);
}

TEST(OtpSeal, KeepsToTheDigitsAndTheTimeAskedFor) {
  TestVault vault;
  core::OtpSeal request = seal_request(kSubject);
  request.digits = 10;
  request.ttl_s = 60;
  const auto answer = sealed(vault, std::move(request));
  EXPECT_EQ(fakes::claim(answer.sealed, "code").size(), 10U);
  EXPECT_EQ(answer.expires_ms, vault.clock.now + 60'000);
}

TEST(OtpSeal, GivesAClearCodeToWhomMayHaveIt) {
  TestVault vault;
  const auto clear = [] {
    core::OtpSeal request = seal_request(kSubject);
    request.recipient.clear();
    request.clear = true;
    return request;
  };
  EXPECT_EQ(outcome(vault, clear()), "permission_denied");
  const core::Ceiling web_gate{
      "web", {"*"}, {~static_cast<std::uint32_t>(core::Permission::kOtpClear)}};
  EXPECT_EQ(outcome_text(vault.call_through(web_gate, TestVault::kSupport, clear())),
            "permission_denied");
  auto keyed_request = clear();
  keyed_request.idempotency_key = "k";
  EXPECT_EQ(outcome_text(vault.call(TestVault::kSupport, std::move(keyed_request))),
            "invalid_idempotency_key");
  const auto answer = vault.call(TestVault::kSupport, clear());
  const auto& given = std::get<core::OtpSealedAnswer>(answer);
  EXPECT_EQ(given.code.size(), 6U);
  EXPECT_TRUE(given.sealed.empty());
  EXPECT_EQ(vault.sealer.calls(), 0U);
  EXPECT_NE(vault.log().back().find("\"clear\":\"true\""), std::string::npos);
  EXPECT_EQ(verify(vault, kSubject, given.code.expose()), "verified");
}

struct Refusal {
  const char* name;
  void (*change)(core::OtpSeal&);
  const char* outcome;
};

class OtpSealRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(OtpSealRefusal, NamesWhatIsWrong) {
  TestVault vault;
  core::OtpSeal request = seal_request(kSubject);
  GetParam().change(request);
  EXPECT_EQ(outcome(vault, std::move(request)), GetParam().outcome);
  EXPECT_EQ(vault.count_in_log("\"outcome\":\"" + std::string(GetParam().outcome)), 1U);
  EXPECT_EQ(vault.sealer.calls(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Table, OtpSealRefusal,
    testing::Values(
        Refusal{"Purpose", [](auto& r) { r.purpose = "anything"; }, "otp_purpose_unknown"},
        Refusal{"NoContext", [](auto& r) { r.purpose = kPayment; }, "invalid_context"},
        Refusal{"Amount", [](auto& r) { r.context = {0, "KZT", "A"}; }, "invalid_context"},
        Refusal{"PanAsPayee", [](auto& r) { r.context = {1, "KZT", "4111111111111111"}; },
                "pan_in_field"},
        Refusal{"Ttl", [](auto& r) { r.ttl_s = 901; }, "invalid_ttl"},
        Refusal{"FewDigits", [](auto& r) { r.digits = 5; }, "invalid_field"},
        Refusal{"ManyDigits", [](auto& r) { r.digits = 11; }, "invalid_field"},
        Refusal{"NoSubject", [](auto& r) { r.subject = {}; }, "invalid_subject"},
        Refusal{"PanAsSubject", [](auto& r) { r.subject = base::SecretText("4111111111111111"); },
                "pan_in_field"},
        Refusal{"Nobody", [](auto& r) { r.recipient = "nobody"; }, "recipient_unknown"},
        Refusal{"NoRecipient", [](auto& r) { r.recipient = ""; }, "invalid_field"},
        Refusal{"Acquirer", [](auto& r) { r.recipient = "acquirer"; }, "recipient_not_allowed"},
        Refusal{"Late", [](auto& r) { r.recipient = "sms-late"; }, "recipient_expired"}),
    [](const auto& param) { return param.param.name; });

TEST(OtpSeal, PacesWhatIsSent) {
  TestVault vault;
  static_cast<void>(sealed_code(vault, kSubject));
  EXPECT_EQ(outcome(vault, seal_request(kSubject)), "resend_too_soon 60");
  vault.clock.now += 59'500;
  const auto signed_before = vault.sealer.calls();
  EXPECT_EQ(outcome(vault, seal_request(kSubject)), "resend_too_soon 1");
  EXPECT_EQ(vault.sealer.calls(), signed_before);             // a refusal costs no signature
  static_cast<void>(sealed_code(vault, kSubject, kPayment));  // another purpose has its own pace
  static_cast<void>(sealed_code(vault, "+77010000002"));      // another subject too
  vault.clock.now += 500;
  for (int i = 0; i < 4; ++i) {
    static_cast<void>(sealed_code(vault, kSubject));
    vault.clock.now += 60'000;
  }
  EXPECT_EQ(outcome(vault, seal_request(kSubject)), "send_limit_reached 3300");
  vault.clock.now += 3'299'999;
  EXPECT_EQ(outcome(vault, seal_request(kSubject)), "send_limit_reached 1");
  vault.clock.now += 1;
  static_cast<void>(sealed_code(vault, kSubject));
}

TEST(OtpSeal, ParallelRequestsSendOneCode) {
  TestVault vault;
  std::vector<std::string> outcomes(20);
  {
    std::vector<std::jthread> threads;
    for (std::string& o : outcomes) {
      threads.emplace_back([&] { o = outcome(vault, seal_request(kSubject)); });
    }
  }
  EXPECT_EQ(std::ranges::count(outcomes, "ok"), 1);
  EXPECT_EQ(std::ranges::count(outcomes, "resend_too_soon 60"), 19);
}

TEST(OtpSeal, RepeatsUnderAKeyGetTheFirstAnswer) {
  TestVault vault;
  const auto first = sealed(vault, keyed(kSubject, "k1"));
  const auto again = sealed(vault, keyed(kSubject, "k1"));
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(again.sealed, first.sealed);
  EXPECT_EQ(again.expires_ms, first.expires_ms);
  EXPECT_EQ(outcome(vault, keyed("+77010000002", "k1")), "idempotency_mismatch");
  EXPECT_EQ(vault.count_in_log("\"replay\":\"true\""), 1U);
  // A refusal isn't kept: the same key works once it is time.
  EXPECT_EQ(outcome(vault, keyed(kSubject, "k2")), "resend_too_soon 60");
  vault.clock.now += 60'000;
  EXPECT_NE(sealed(vault, keyed(kSubject, "k2")).id, first.id);
  vault.clock.now += 86'400'000;
  EXPECT_NE(sealed(vault, keyed(kSubject, "k1")).id, first.id);
}

TEST(OtpSeal, OneKeyServesOneKindOfRequest) {
  TestVault vault;
  static_cast<void>(sealed(vault, keyed(kSubject, "k1")));
  core::Tokenize tokenize = one(item("4111111111111111", kSubject));
  tokenize.idempotency_key = "k1";
  EXPECT_EQ(outcome_text(vault.call(TestVault::kWeb, std::move(tokenize))), "idempotency_mismatch");
}

TEST(OtpSeal, RefusesWhomTheBankHasFrozen) {
  TestVault vault;
  const std::string code = sealed_code(vault, kSubject);
  vault.freeze_customer();
  vault.clock.now += 60'000;
  EXPECT_EQ(outcome(vault, seal_request(kSubject)), "customer_frozen");
  EXPECT_EQ(verify(vault, kSubject, code), "customer_frozen");
}

TEST(OtpSeal, SaysThatTheHsmIsAway) {
  TestVault vault;
  vault.sealer.fail_next({base::Code::kHsmUnavailable, "fake"});
  EXPECT_EQ(outcome(vault, seal_request(kSubject)), "hsm_unavailable 1");
  static_cast<void>(sealed_code(vault, kSubject));  // the failure was no send
}

TEST(OtpSeal, KnowsTheCustomersOfCards) {
  TestVault vault;
  static_cast<void>(vault.token("4111111111111111", kSubject));
  static_cast<void>(sealed_code(vault, kSubject));
  // A cache that is wrong costs a second look, no more.
  vault.customers.put(core::name_fingerprints(vault.services, kSubject)->active, {99, {1}});
  vault.clock.now += 60'000;
  static_cast<void>(sealed_code(vault, kSubject));
  std::set<std::string> customers;
  for (const std::string& line : vault.log()) customers.insert(fakes::claim(line, "customer"));
  EXPECT_EQ(customers.size(), 1U);
}

TEST(OtpSeal, StopsWhileTheClockIsInDoubt) {
  TestVault vault;
  const std::string code = sealed_code(vault, kSubject);
  vault.clock.trust = false;
  EXPECT_EQ(verify(vault, kSubject, code), "clock_suspect 10");
  vault.clock.now += 60'000;
  EXPECT_EQ(outcome(vault, seal_request(kSubject)), "clock_suspect 10");
  vault.clock.trust = true;
  EXPECT_EQ(verify(vault, kSubject, code), "verified");
}

TEST(Jwks, IsForEveryClient) {
  TestVault vault;
  const auto answer = vault.call(TestVault::kAnonymous, core::JwksRead{});
  EXPECT_EQ(std::get<core::JwksAnswer>(answer).json, R"({"keys":[]})");
  vault.sealer.fail_next({base::Code::kHsmUnavailable, "fake"});
  EXPECT_EQ(outcome_text(vault.call(TestVault::kAnonymous, core::JwksRead{})), "hsm_unavailable 1");
  EXPECT_EQ(vault.count_in_log("\"op\":\"jwks\""), 2U);
}

}  // namespace
}  // namespace cardvault::daemon
