// Codes of a TestVault: requests, and what is inside the sealed answers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/daemon/test_vault.h"

namespace cardvault::daemon {

inline constexpr std::string_view kLogin = "verify_login";
inline constexpr std::string_view kPayment = "confirm_transaction";

[[nodiscard]] core::OtpSeal seal_request(std::string_view subject,
                                         std::string_view purpose = kLogin);
[[nodiscard]] core::OtpVerify verify_request(std::string_view subject, std::string_view code,
                                             std::string_view purpose = kLogin);
// 15,000.00 KZT to "Green Grocer".
[[nodiscard]] core::PaymentContext groceries();

// A code that the gateway got; fails the test when none is sealed.
[[nodiscard]] std::string sealed_code(TestVault& vault, core::OtpSeal request);
[[nodiscard]] std::string sealed_code(TestVault& vault, std::string_view subject,
                                      std::string_view purpose = kLogin);
// Another code of the same length.
[[nodiscard]] std::string wrong(std::string code);

// "verified", "verification_failed 2", "locked 900", "otp_purpose_unknown": the code's name, then
// what is left, or the seconds to wait.
[[nodiscard]] std::string outcome_text(const core::Answer& answer);
[[nodiscard]] std::string verify(TestVault& vault, std::string_view subject, std::string_view code,
                                 std::string_view purpose = kLogin);
// Each from a thread of its own, begun together.
[[nodiscard]] std::vector<std::string> verify_in_parallel(TestVault& vault, std::size_t count,
                                                          std::string_view subject,
                                                          std::string_view code);

}  // namespace cardvault::daemon
