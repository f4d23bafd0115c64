// Latencies with a bounded relative error, in constant memory (the idea of HdrHistogram).
#pragma once

#include <array>
#include <cstdint>

namespace cardvault::bench {

// Values in nanoseconds; below 1/64 (1.6 %) relative error up to 2^41 ns (36 minutes), larger ones
// count as that. Not thread-safe; one per thread, then add().
class Histogram {
 public:
  void record(std::int64_t nanoseconds) noexcept;
  void add(const Histogram& other) noexcept;
  void clear() noexcept { *this = {}; }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  // The smallest recorded value that at least this share (0..1) of all values doesn't exceed, as
  // the upper end of its bucket; 0 when empty.
  [[nodiscard]] double quantile_us(double share) const noexcept;
  [[nodiscard]] double max_us() const noexcept { return static_cast<double>(max_) / 1000; }

 private:
  static constexpr unsigned kSubBits = 6;
  static constexpr unsigned kOctaves = 36;
  std::array<std::uint32_t, (kOctaves + 1) << kSubBits> buckets_{};
  std::uint64_t count_ = 0;
  std::int64_t max_ = 0;
};

}  // namespace cardvault::bench
