#include "vault/core/rate_limit.h"

#include <algorithm>
#include <cmath>

#include "vault/core/request.h"

namespace cardvault::core {
namespace {

constexpr double kCapacitySeconds = 2;

double capacity_for(std::uint32_t rate_per_s) {
  return std::max(kCapacitySeconds * rate_per_s, static_cast<double>(kMaxBatch));
}

}  // namespace

std::uint32_t RateLimiter::take(std::string_view client, std::uint32_t rate_per_s,
                                std::uint32_t cost, std::int64_t now_us) {
  if (rate_per_s == 0) return 0;
  const double capacity = capacity_for(rate_per_s);
  const double wanted =
      std::min(static_cast<double>(cost), capacity);  // else it would wait forever
  const std::lock_guard lock(mutex_);
  const auto [found, added] = buckets_.try_emplace(std::string(client));
  Bucket& bucket = found->second;
  if (added) {
    bucket = {capacity, now_us, rate_per_s};
  } else {
    // Threads read the clock before they get here: time may seem to go back a little.
    const std::int64_t passed_us = std::max<std::int64_t>(now_us - bucket.at_us, 0);
    const double gained = static_cast<double>(passed_us) * bucket.rate / 1e6;
    bucket = {std::min(bucket.level + gained, capacity), bucket.at_us + passed_us, rate_per_s};
  }
  if (bucket.level >= wanted) {
    bucket.level -= wanted;
    return 0;
  }
  return static_cast<std::uint32_t>(std::max(1.0, std::ceil((wanted - bucket.level) / rate_per_s)));
}

}  // namespace cardvault::core
