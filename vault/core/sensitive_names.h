// Names under which clients send what must never be stored: sensitive authentication data (PCI DSS
// 3.3.1: card verification codes, PINs and PIN blocks, full track data).
#pragma once

#include <string_view>

namespace cardvault::core {

// Case and punctuation don't matter: "Card-Verification_Value" and "card[cvv]" are such names.
[[nodiscard]] bool is_sensitive_name(std::string_view name) noexcept;

}  // namespace cardvault::core
