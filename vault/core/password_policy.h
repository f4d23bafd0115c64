// Which passwords and quick codes are taken.
#pragma once

#include <string_view>

#include "vault/base/result.h"
#include "vault/core/request.h"
#include "vault/core/settings.h"

namespace cardvault::core {

inline constexpr std::size_t kMaxSecretBytes = 256;

// Of a secret to be verified, whose policy may have been another: 1 to kMaxSecretBytes of UTF-8
// without control characters, else kInvalidField.
[[nodiscard]] base::Result<void> check_secret_form(std::string_view secret);

// Of a new secret (SP 800-63B 5.1.1.2: length and a list of common ones, no rules of composition).
// Passwords are taken byte for byte, so a client sends one normalization form. kInvalidField:
// check_secret_form(), or a quick code that is not quick_code_digits digits; kPanInField: what
// reads as a card number; kSecretTooWeak: a password shorter than password_min code points, the
// subject itself, one of the commonest, one repeated character or a straight sequence; a quick code
// of the latter two kinds.
[[nodiscard]] base::Result<void> check_new_secret(SecretKind kind, std::string_view secret,
                                                  std::string_view subject,
                                                  const SecretSettings& settings);

}  // namespace cardvault::core
