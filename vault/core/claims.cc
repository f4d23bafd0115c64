#include "vault/core/claims.h"

#include <array>
#include <charconv>

#include "vault/core/text_form.h"

namespace cardvault::core {

Claims::Claims() {
  json_.reserve(512);
  json_.push_back('{');
}

base::Result<Claims> Claims::begin(Services& services, std::int64_t issued_ms,
                                   std::int64_t expires_ms) {
  std::array<std::uint8_t, 16> id{};
  if (auto ok = services.crypto.random(id); !ok) return std::unexpected(ok.error());
  Claims claims;
  claims.text("iss", services.settings.load()->issuer);
  claims.number("iat", issued_ms / 1000);
  claims.number("exp", expires_ms / 1000);
  claims.text("jti", to_hex(id));
  return claims;
}

void Claims::raw(std::string_view json) { json_.insert(json_.end(), json.begin(), json.end()); }

void Claims::quoted(std::string_view value) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  raw("\"");
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json_.push_back('\\');
      json_.push_back(byte);
    } else if (byte < 0x20) {
      raw("\\u00");
      json_.push_back(static_cast<std::uint8_t>(kHexDigits[byte >> 4]));
      json_.push_back(static_cast<std::uint8_t>(kHexDigits[byte & 0x0f]));
    } else {
      json_.push_back(byte);
    }
  }
  raw("\"");
}

void Claims::name(std::string_view name) {
  if (json_.back() != '{') raw(",");
  quoted(name);
  raw(":");
}

void Claims::text(std::string_view name, std::string_view value) {
  this->name(name);
  quoted(value);
}

void Claims::number(std::string_view name, std::int64_t value) {
  this->name(name);
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  raw({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

void Claims::context(const PaymentContext& context) {
  name("context");
  raw("{");
  number("amount", static_cast<std::int64_t>(context.amount));
  text("currency", context.currency);
  text("payee", context.payee);
  raw("}");
}

base::SecretBuffer Claims::take() && {
  raw("}");
  return std::move(json_);
}

}  // namespace cardvault::core
