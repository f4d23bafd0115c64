#include "vault/core/expiry.h"

#include <array>
#include <chrono>
#include <cstdio>

namespace cardvault::core {
namespace {

constexpr std::int64_t kHourMs = 3600LL * 1000;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

}  // namespace

base::Result<Expiry> Expiry::parse(std::string_view text) {
  const auto refuse = [] { return base::fail(base::Code::kInvalidExpiry, "Expiry::parse"); };
  if (text.size() != 7 || text[4] != '-') return refuse();
  for (const std::size_t i : {0U, 1U, 2U, 3U, 5U, 6U}) {
    if (!is_digit(text[i])) return refuse();
  }
  const auto digit = [&](std::size_t i) { return text[i] - '0'; };
  const int year = digit(0) * 1000 + digit(1) * 100 + digit(2) * 10 + digit(3);
  const int month = digit(5) * 10 + digit(6);
  if (year < 2000 || year > 2099 || month < 1 || month > 12) return refuse();
  return Expiry{static_cast<std::uint16_t>(year * 12 + month - 1)};
}

std::string Expiry::text() const {
  if (!known()) return {};
  std::array<char, 16> out{};
  const int n = std::snprintf(out.data(), out.size(), "%04d-%02d", months / 12, months % 12 + 1);
  return {out.data(), static_cast<std::size_t>(n)};
}

bool Expiry::expired(std::int64_t now_ms) const noexcept {
  if (!known()) return false;
  const int next = months + 1;
  const std::chrono::sys_days first_after{std::chrono::year(next / 12) /
                                          std::chrono::month(static_cast<unsigned>(next % 12 + 1)) /
                                          std::chrono::day(1)};
  const std::chrono::sys_time<std::chrono::milliseconds> end_utc = first_after;
  return now_ms >= end_utc.time_since_epoch().count() + 12 * kHourMs;
}

}  // namespace cardvault::core
