// Time as the domain sees it: a port, so that tests can move it.
#pragma once

#include <cstdint>
#include <string>

namespace cardvault::base {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Vault time: milliseconds since 1970-01-01 UTC; never steps back.
  [[nodiscard]] virtual std::int64_t now_ms() const = 0;
  // False while the clock is in doubt and an operator has not confirmed it: no writes, no codes.
  [[nodiscard]] virtual bool trusted() const { return true; }
};

// "2026-11-22T06:30:00.123Z" (RFC 3339, PCI DSS 10.6: all logs in UTC).
[[nodiscard]] std::string format_time(std::int64_t unix_ms);

}  // namespace cardvault::base
