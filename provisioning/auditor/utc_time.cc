#include "provisioning/auditor/utc_time.h"

#include <charconv>
#include <ctime>
#include <string_view>

#include "vault/base/result.h"

namespace cardvault::auditor {
namespace {

constexpr std::size_t kFractionAt = std::string_view("2026-12-01T06:00:00").size();
constexpr std::size_t kFractionSize = std::string_view(".123").size();

}  // namespace

std::int64_t parse_utc(const std::string& text) {
  std::string whole = text;
  int ms = 0;
  if (text.size() == kFractionAt + kFractionSize + 1 && text[kFractionAt] == '.') {
    const char* end = text.data() + kFractionAt + kFractionSize;
    if (std::from_chars(end - kFractionSize + 1, end, ms).ptr == end && ms >= 0) {
      whole.erase(kFractionAt, kFractionSize);
    }
  }
  for (const char* form : {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"}) {
    std::tm parts{};
    const char* end = ::strptime(whole.c_str(), form, &parts);
    if (end == nullptr || *end != '\0') continue;
    const std::tm asked = parts;
    const std::time_t seconds = ::timegm(&parts);
    if (parts.tm_mday == asked.tm_mday && seconds > 0) return std::int64_t{seconds} * 1000 + ms;
  }
  throw base::StartupError("a time is UTC, as in 2026-12-01T06:00:00Z or 2026-12-01: not '" + text +
                           "'");
}

}  // namespace cardvault::auditor
