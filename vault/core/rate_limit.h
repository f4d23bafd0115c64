// Requests per second of a client: a token bucket, asked before the HSM and the disk are.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace cardvault::core {

// Thread-safe; bounded by the number of registered clients.
class RateLimiter {
 public:
  // Takes `cost` from the client's bucket (capacity: two seconds' worth, at least one full batch).
  // Returns 0 when allowed, else the seconds until that much will be there (at least 1).
  // `now_us` is a monotonic clock. A rate of 0 means no limit.
  [[nodiscard]] std::uint32_t take(std::string_view client, std::uint32_t rate_per_s,
                                   std::uint32_t cost, std::int64_t now_us);

 private:
  struct Bucket {
    double level = 0;
    std::int64_t at_us = 0;
    std::uint32_t rate = 0;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;
};

}  // namespace cardvault::core
