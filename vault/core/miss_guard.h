// Numeric tokens carry 46 random bits: a client that keeps guessing them is made to wait.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace cardvault::core {

// Misses of numeric tokens per client and minute. Thread-safe; bounded by the registered clients.
class MissGuard {
 public:
  // 0 when a numeric look-up may go on, else the seconds to wait.
  [[nodiscard]] std::uint32_t wait_s(std::string_view client, std::uint32_t limit,
                                     std::int64_t now_ms);
  void missed(std::string_view client, std::int64_t now_ms);

 private:
  struct Minute {
    std::int64_t index = 0;
    std::uint32_t misses = 0;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, Minute> clients_;
};

}  // namespace cardvault::core
