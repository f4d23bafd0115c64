#include "provisioning/time_text.h"

#include <charconv>
#include <utility>

#include "provisioning/auditor/utc_time.h"
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
  try {
    return auditor::parse_utc(text);
  } catch (const base::StartupError& problem) {
    throw ToolError(ExitCode::kUsage, problem.what());
  }
}

}  // namespace cardvault::provisioning
