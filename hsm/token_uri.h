// RFC 7512 names of tokens, and PINs read from where such a name says.
#pragma once

#include <optional>
#include <string>

#include "vault/base/secret.h"

namespace cardvault::hsm {

// Empty fields match anything.
struct TokenUri {
  std::string label;
  std::string serial;
  std::string manufacturer;
  std::string model;
  std::optional<unsigned long> slot_id;
  std::string pin_source;  // a path; empty when the URI names none
};

// Throws StartupError for what is no token URI, selects no token, or carries a `pin-value`: a PIN
// is never part of configuration (DESIGN trap 7).
[[nodiscard]] TokenUri parse_token_uri(const std::string& text);

// "pkcs11:token=…" for a label, percent-encoded (RFC 7512 2.3).
[[nodiscard]] std::string format_token_uri(const std::string& label);

// Reads the PIN without its line end. Throws StartupError when there is no pin-source, when the
// file cannot be read, is empty or longer than 256 bytes, or when everybody may read it.
[[nodiscard]] base::SecretText read_pin(const TokenUri& uri);

}  // namespace cardvault::hsm
