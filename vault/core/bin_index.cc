#include "vault/core/bin_index.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>

#include "vault/core/pan.h"

namespace cardvault::core {
namespace {

constexpr std::uint64_t kBucketWidth = 10'000'000;
constexpr std::size_t kLengths = Pan::kMaxDigits - Pan::kMinDigits + 2;  // 12..19, and "any"

std::size_t length_class(const BinRow& row) noexcept {
  return row.length == 0 ? 0 : row.length - Pan::kMinDigits + 1;
}

// The rows that match where the sweep stands. Rows that have ended stay in their heap until they
// surface: only the tops are looked at.
class Sweep {
 public:
  explicit Sweep(std::span<const BinRow> rows) : rows_(rows) {}

  void add(std::uint32_t row) { heaps_[length_class(rows_[row])].push(row); }

  // The best row of each length at `position`, best first.
  [[nodiscard]] const std::vector<std::uint32_t>& best_at(std::uint64_t position) {
    best_.clear();
    for (Heap& heap : heaps_) {
      while (!heap.empty() && rows_[heap.top()].high < position) heap.pop();
      if (!heap.empty()) best_.push_back(heap.top());
    }
    std::ranges::sort(best_);
    return best_;
  }

 private:
  using Heap =
      std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<std::uint32_t>>;
  std::span<const BinRow> rows_;
  std::array<Heap, kLengths> heaps_;
  std::vector<std::uint32_t> best_;
};

std::vector<std::uint64_t> all_cuts(std::span<const BinRow> rows) {
  std::vector<std::uint64_t> cuts;
  cuts.reserve(rows.size() * 2);
  for (const BinRow& row : rows) {
    cuts.push_back(row.low);
    cuts.push_back(row.high + 1);
  }
  std::ranges::sort(cuts);
  const auto repeated = std::ranges::unique(cuts);
  cuts.erase(repeated.begin(), repeated.end());
  return cuts;
}

}  // namespace

bool better_row(const BinRow& a, const BinRow& b) noexcept {
  if (a.prefix != b.prefix) return a.prefix > b.prefix;
  const std::uint64_t width_a = a.high - a.low;
  const std::uint64_t width_b = b.high - b.low;
  if (width_a != width_b) return width_a < width_b;
  if (a.start != b.start) return a.start > b.start;
  return a.length > b.length;
}

BinIndex::BinIndex(std::span<const BinRow> rows) {
  std::vector<std::uint32_t> by_start(rows.size());
  std::iota(by_start.begin(), by_start.end(), 0U);
  std::ranges::sort(by_start, {}, [&](std::uint32_t row) { return rows[row].low; });
  Sweep sweep(rows);
  std::vector<std::uint32_t> last;
  std::size_t begun = 0;
  for (const std::uint64_t cut : all_cuts(rows)) {
    while (begun < by_start.size() && rows[by_start[begun]].low <= cut) {
      sweep.add(by_start[begun++]);
    }
    const std::vector<std::uint32_t>& best = sweep.best_at(cut);
    if (best == last && !cuts_.empty()) continue;
    cuts_.push_back(cut);
    first_.push_back(static_cast<std::uint32_t>(matches_.size()));
    matches_.insert(matches_.end(), best.begin(), best.end());
    last = best;
  }
  first_.push_back(static_cast<std::uint32_t>(matches_.size()));
  cuts_.shrink_to_fit();
  first_.shrink_to_fit();
  matches_.shrink_to_fit();
  fill_buckets();
}

void BinIndex::fill_buckets() {
  std::size_t cut = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    while (cut < cuts_.size() && cuts_[cut] < bucket * kBucketWidth) ++cut;
    buckets_[bucket] = static_cast<std::uint32_t>(cut);
  }
  buckets_[kBuckets] = static_cast<std::uint32_t>(cuts_.size());
}

std::span<const std::uint32_t> BinIndex::matching(std::uint64_t key) const noexcept {
  const std::size_t bucket = key / kBucketWidth;
  const auto after =
      std::upper_bound(cuts_.begin() + buckets_[bucket], cuts_.begin() + buckets_[bucket + 1], key);
  if (after == cuts_.begin()) return {};
  const auto at = static_cast<std::size_t>(after - cuts_.begin() - 1);
  return std::span(matches_).subspan(first_[at], first_[at + 1] - first_[at]);
}

}  // namespace cardvault::core
