// Times as they are typed.
#pragma once

#include <cstdint>
#include <string>

namespace cardvault::auditor {

// Milliseconds since 1970 of "2026-12-01T06:00:00Z", "2026-12-01T06:00:00.123Z" as events have it,
// or "2026-12-01" (UTC, RFC 3339). Throws StartupError on anything else.
[[nodiscard]] std::int64_t parse_utc(const std::string& text);

}  // namespace cardvault::auditor
