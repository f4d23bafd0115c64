#include "tests/bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace cardvault::bench {

void Histogram::record(std::int64_t nanoseconds) noexcept {
  const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(nanoseconds, 0));
  const auto width = static_cast<unsigned>(std::bit_width(value));
  // The first 2^kSubBits values have a bucket each; every later power of two has 2^kSubBits.
  const unsigned shift = width > kSubBits + 1 ? width - kSubBits - 1 : 0;
  const std::size_t index = (std::size_t{shift} << kSubBits) + (value >> shift);
  ++buckets_[std::min(index, buckets_.size() - 1)];
  ++count_;
  max_ = std::max(max_, nanoseconds);
}

void Histogram::add(const Histogram& other) noexcept {
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

double Histogram::quantile_us(double share) const noexcept {
  if (count_ == 0) return 0;
  const auto wanted = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen < wanted) continue;
    const std::size_t octave = i >> kSubBits;
    const std::size_t shift = octave == 0 ? 0 : octave - 1;
    const std::uint64_t base = i - (shift << kSubBits);
    const auto upper = static_cast<std::int64_t>(((base + 1) << shift) - 1);
    return static_cast<double>(std::min(upper, max_)) / 1000;
  }
  return max_us();
}

}  // namespace cardvault::bench
