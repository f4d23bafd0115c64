// Finds the row of a BIN table for a number, whatever its ranges overlap.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "vault/core/bin_row.h"

namespace cardvault::core {

// The line of 11-digit numbers, cut wherever a range begins or ends. Between two cuts the same rows
// match, and of these only the best of each PAN length can ever be the answer: at most nine,
// however many ranges overlap. Immutable once built.
class BinIndex {
 public:
  BinIndex() { buckets_.fill(0); }
  // Better rows come first in `rows` (see better_row).
  explicit BinIndex(std::span<const BinRow> rows);

  // Positions in `rows` of those that match the 11-digit number `key`, best first, the best of each
  // length. Empty when none matches.
  [[nodiscard]] std::span<const std::uint32_t> matching(std::uint64_t key) const noexcept;

 private:
  static constexpr std::size_t kBuckets = 10'000;  // by the first four digits
  void fill_buckets();

  std::vector<std::uint64_t> cuts_;   // first number of each stretch
  std::vector<std::uint32_t> first_;  // its matches in matches_; one more at the end
  std::vector<std::uint32_t> matches_;
  std::array<std::uint32_t, kBuckets + 1> buckets_;  // first cut with these digits or above
};

// Longer prefix, then narrower range, then the one that begins later, then the one that names a
// length: a total order of rows but for duplicates.
[[nodiscard]] bool better_row(const BinRow& a, const BinRow& b) noexcept;

}  // namespace cardvault::core
