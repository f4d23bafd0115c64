#include "provisioning/auditor/utc_time.h"

#include <ctime>

#include "vault/base/result.h"

namespace cardvault::auditor {

std::int64_t parse_utc(const std::string& text) {
  for (const char* form : {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"}) {
    std::tm parts{};
    const char* end = ::strptime(text.c_str(), form, &parts);
    if (end == nullptr || *end != '\0') continue;
    const std::tm asked = parts;
    const std::time_t seconds = ::timegm(&parts);
    if (parts.tm_mday == asked.tm_mday && seconds > 0) return std::int64_t{seconds} * 1000;
  }
  throw base::StartupError("a time is UTC, as in 2026-12-01T06:00:00Z or 2026-12-01: not '" + text +
                           "'");
}

}  // namespace cardvault::auditor
