// Bytes as text: lower-case hexadecimal, as fingerprints and internal ids stand in the log.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "vault/base/result.h"

namespace cardvault::core {

// "00ff": two lower-case digits per byte.
[[nodiscard]] std::string to_hex(std::span<const std::uint8_t> bytes);

// Fills `out` from exactly 2 * out.size() lower-case digits; kInvalidArgument on anything else,
// with `out` in an unspecified state. One value has one spelling: upper case is refused.
[[nodiscard]] base::Result<void> from_hex(std::string_view text, std::span<std::uint8_t> out);

}  // namespace cardvault::core
