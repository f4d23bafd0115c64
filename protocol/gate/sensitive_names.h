// Names under which clients send what must never be stored: sensitive authentication data (PCI DSS
// 3.3.1: card verification codes, PINs and PIN blocks, full track data).
#pragma once

#include <string_view>

namespace cardvault::gate {

// Case, underscores, hyphens, dots and spaces don't matter: "Card-Verification_Value" is one.
[[nodiscard]] bool is_sensitive_name(std::string_view name) noexcept;

}  // namespace cardvault::gate
