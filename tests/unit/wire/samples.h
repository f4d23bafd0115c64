// Requests and answers of every kind, with every field set in one of them at least.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/core/identity.h"
#include "vault/core/request.h"

namespace cardvault::wire {

[[nodiscard]] core::Caller caller();
[[nodiscard]] core::PaymentContext payment();
[[nodiscard]] core::TokenizeItem tokenize_item(std::string_view pan);
[[nodiscard]] core::DetokenizeItem item(std::string token, std::string purpose, bool mask,
                                        std::string recipient = "",
                                        std::optional<core::PaymentContext> context = std::nullopt);
[[nodiscard]] core::OtpSeal otp_seal();
template <class WithSecret>
WithSecret with_secret() {
  WithSecret r;
  r.subject = base::SecretText("+77010000001");
  r.kind = core::SecretKind::kQuickCode;
  r.secret = base::SecretText("4711");
  return r;
}
[[nodiscard]] core::CardView card();
[[nodiscard]] std::vector<core::Request> requests();
[[nodiscard]] std::vector<core::Answer> answers();

}  // namespace cardvault::wire
