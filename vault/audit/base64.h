// Standard Base 64 with padding (RFC 4648 section 4).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cardvault::audit {

[[nodiscard]] std::string to_base64(std::span<const std::uint8_t> bytes);
// nullopt for anything that to_base64() would spell otherwise.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> from_base64(std::string_view text);

}  // namespace cardvault::audit
