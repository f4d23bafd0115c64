// UTF-8 of requests: what is kept, signed or compared must be well-formed.
#pragma once

#include <string_view>

namespace cardvault::core {

// Well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates) without control characters
// (U+0000..U+001F, U+007F).
[[nodiscard]] bool printable_utf8(std::string_view text) noexcept;

}  // namespace cardvault::core
