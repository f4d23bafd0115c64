// Times and durations as operators type them.
#pragma once

#include <cstdint>
#include <string>

namespace cardvault::provisioning {

// Seconds of "90s", "30m", "36h", "7d" or "0". Throws ToolError(kUsage) on anything else.
[[nodiscard]] std::int64_t parse_duration(const std::string& text);

// Milliseconds since 1970 of "2026-12-01T06:00:00Z" or "2026-12-01" (UTC, RFC 3339). Throws
// ToolError(kUsage) on anything else.
[[nodiscard]] std::int64_t parse_time(const std::string& text);

}  // namespace cardvault::provisioning
