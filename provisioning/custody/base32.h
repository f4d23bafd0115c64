// Crockford's base32: letters and digits that people read aloud and type without mistaking them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "vault/base/secret.h"

namespace cardvault::custody {

inline constexpr std::string_view kBase32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

// The value of a character: lower case is taken, I and L for 1, O for 0; -1 for any other.
[[nodiscard]] int base32_value(char c) noexcept;

// Most significant bits first; the last character is filled up with zero bits.
[[nodiscard]] base::SecretBuffer to_base32(std::span<const std::uint8_t> bytes);

// nullopt when a character is none of the alphabet, or bits that fill up are not zero.
[[nodiscard]] std::optional<base::SecretBuffer> from_base32(std::string_view text);

}  // namespace cardvault::custody
