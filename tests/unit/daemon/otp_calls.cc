#include "tests/unit/daemon/otp_calls.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

namespace cardvault::daemon {

core::OtpSeal seal_request(std::string_view subject, std::string_view purpose) {
  core::OtpSeal request;
  request.subject = base::SecretText(subject);
  request.purpose = purpose;
  request.recipient = "sms-gateway";
  if (purpose == kPayment) request.context = groceries();
  return request;
}

core::OtpVerify verify_request(std::string_view subject, std::string_view code,
                               std::string_view purpose) {
  core::OtpVerify request;
  request.subject = base::SecretText(subject);
  request.purpose = purpose;
  request.code = base::SecretText(code);
  if (purpose == kPayment) request.context = groceries();
  return request;
}

core::PaymentContext groceries() { return {1'500'000, "KZT", "Green Grocer"}; }

std::string sealed_code(TestVault& vault, core::OtpSeal request) {
  const auto answer = vault.call(TestVault::kWeb, std::move(request));
  const auto* sealed = std::get_if<core::OtpSealedAnswer>(&answer);
  EXPECT_NE(sealed, nullptr) << outcome_text(answer);
  return sealed == nullptr ? "" : fakes::claim(sealed->sealed, "code");
}

std::string sealed_code(TestVault& vault, std::string_view subject, std::string_view purpose) {
  return sealed_code(vault, seal_request(subject, purpose));
}

std::string wrong(std::string code) {
  code.back() = code.back() == '9' ? '0' : static_cast<char>(code.back() + 1);
  return code;
}

std::string outcome_text(const core::Answer& answer) {
  const auto* failure = std::get_if<core::Failure>(&answer);
  if (failure == nullptr) {
    return std::holds_alternative<core::VerifiedAnswer>(answer) ? "verified" : "ok";
  }
  std::string text(base::code_name(failure->code));
  if (failure->attempts_left >= 0) text += " " + std::to_string(failure->attempts_left);
  if (failure->retry_after_s != 0) text += " " + std::to_string(failure->retry_after_s);
  return text;
}

std::string verify(TestVault& vault, std::string_view subject, std::string_view code,
                   std::string_view purpose) {
  return outcome_text(vault.call(TestVault::kWeb, verify_request(subject, code, purpose)));
}

std::vector<std::string> verify_in_parallel(TestVault& vault, std::size_t count,
                                            std::string_view subject, std::string_view code) {
  std::vector<std::string> outcomes(count);
  std::latch ready(static_cast<std::ptrdiff_t>(count));
  std::vector<std::jthread> threads;
  for (std::string& outcome : outcomes) {
    threads.emplace_back([&] {
      ready.arrive_and_wait();
      outcome = verify(vault, subject, code);
    });
  }
  threads.clear();
  return outcomes;
}

}  // namespace cardvault::daemon
