// Who reads the log at present: a mirror asks for thousands of files, and all of that is one event
// (DESIGN section 7).
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "vault/core/event.h"
#include "vault/core/policy.h"

namespace cardvault::core {

// A session is what one client reads from one address through one gate within ten minutes of its
// first file; then the next file begins another one. Thread-safe.
class ReadingSessions {
 public:
  static constexpr std::int64_t kLengthMs = 600'000;
  static constexpr std::size_t kMost = 1024;  // beyond, each file read is an event of its own

  // The receipt of the event that covers a read at `now_ms`, vault time.
  [[nodiscard]] std::optional<Receipt> find(const Principal& reader, std::int64_t now_ms) const;
  void begin(const Principal& reader, std::int64_t now_ms, const Receipt& receipt);

 private:
  struct Session {
    std::int64_t began_ms;
    Receipt receipt;
  };
  [[nodiscard]] static std::string key_of(const Principal& reader);
  mutable std::mutex mutex_;
  std::map<std::string, Session> sessions_;
};

}  // namespace cardvault::core
