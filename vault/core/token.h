// Tokens: what the web tier keeps instead of a card number.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "vault/base/result.h"

namespace cardvault::core {

enum class TokenFormat : std::uint8_t { kOpaque = 0, kNumeric = 1 };

// The 16 bytes behind every token: 48 bits of milliseconds, 80 random bits (ULID). Time-ordered for
// the store's sake, unguessable all the same.
struct TokenId {
  std::array<std::uint8_t, 16> bytes{};
  friend auto operator<=>(const TokenId&, const TokenId&) = default;
};

// A token as clients see it. Opaque: "tok_" and 26 Crockford base32 characters of the id. Numeric:
// 19 digits, beginning with 7 (ISO/IEC 7812-1 gives 7 to no card scheme; it keeps the value inside
// a signed 64-bit integer), 14 random digits, the card's last four; it fails Luhn, so that it can
// never be taken for a PAN. A value type; thread-safe as such.
class Token {
 public:
  static constexpr std::size_t kRandomBytes = 20;

  // Makes a new token from kRandomBytes random bytes of the HSM. `last4` matters for kNumeric only.
  [[nodiscard]] static Token make(TokenFormat format, std::int64_t now_ms, std::string_view last4,
                                  std::span<const std::uint8_t, kRandomBytes> random);
  // Reads either format; kInvalidToken for anything else. The id of a numeric token is all zero
  // until the store has looked it up. Opaque tokens are accepted in upper or lower case, I, L and O
  // are not folded: one token has one spelling but for its case.
  [[nodiscard]] static base::Result<Token> parse(std::string_view text);
  // From what the store keeps: the id and the number, 0 for an opaque token.
  [[nodiscard]] static Token from_store(const TokenId& id, std::int64_t number);

  [[nodiscard]] TokenFormat format() const noexcept {
    return number_ == 0 ? TokenFormat::kOpaque : TokenFormat::kNumeric;
  }
  [[nodiscard]] const TokenId& id() const noexcept { return id_; }
  [[nodiscard]] std::int64_t number() const noexcept { return number_; }
  [[nodiscard]] std::string text() const;

 private:
  TokenId id_;
  std::int64_t number_ = 0;
};

}  // namespace cardvault::core
