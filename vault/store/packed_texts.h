// Lists of short texts in one blob column (metadata, purposes): each preceded by its length, 16
// bits little-endian.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/core/request.h"

namespace cardvault::store {

// Appends one text of at most 65535 bytes.
void append_text(std::vector<std::uint8_t>& blob, std::string_view text);
// nullopt when a length points past the end.
[[nodiscard]] std::optional<std::vector<std::string>> read_texts(
    std::span<const std::uint8_t> blob);

// Names and values in turn.
[[nodiscard]] std::vector<std::uint8_t> pack(const core::Metadata& metadata);
[[nodiscard]] std::optional<core::Metadata> unpack_metadata(std::span<const std::uint8_t> blob);

}  // namespace cardvault::store
