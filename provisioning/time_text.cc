#include "provisioning/time_text.h"

#include <charconv>
#include <ctime>
#include <utility>

#include "provisioning/exit_code.h"

namespace cardvault::provisioning {

std::int64_t parse_duration(const std::string& text) {
  constexpr std::pair<char, std::int64_t> kUnits[] = {
      {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86'400}};
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && at + 1 == end && value >= 0 && value <= 1'000'000) {
    for (const auto& [unit, seconds] : kUnits) {
      if (*at == unit) return value * seconds;
    }
  }
  if (text == "0") return 0;
  throw ToolError(ExitCode::kUsage,
                  "a duration is a number with s, m, h or d, as in 36h: not '" + text + "'");
}

std::int64_t parse_time(const std::string& text) {
  for (const char* form : {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"}) {
    std::tm parts{};
    const char* end = ::strptime(text.c_str(), form, &parts);
    if (end == nullptr || *end != '\0') continue;
    const std::tm asked = parts;
    const std::time_t seconds = ::timegm(&parts);
    if (parts.tm_mday == asked.tm_mday && seconds > 0) return std::int64_t{seconds} * 1000;
  }
  throw ToolError(ExitCode::kUsage,
                  "a time is UTC, as in 2026-12-01T06:00:00Z or 2026-12-01: not '" + text + "'");
}

}  // namespace cardvault::provisioning
