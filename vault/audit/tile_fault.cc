// What happened to a hash tile, told from its right hashes.
#include <algorithm>
#include <map>

#include "vault/audit/tile_judge.h"

namespace cardvault::audit {
namespace {

constexpr std::uint64_t kMostParents = 4096;  // tiles looked through for one that holds another's

// The tile of this level whose right root is `root`, as the tiles above say.
std::optional<std::uint64_t> tile_with_root(const LogView& view, unsigned level, const Hash& root) {
  const std::uint64_t parents = std::min(view.tiles_at(level + 1), kMostParents);
  for (std::uint64_t parent = 0; parent < parents; ++parent) {
    const auto hashes = view.tile_hashes(level + 1, parent);
    if (!hashes) continue;
    const auto found = std::ranges::find(*hashes, root);
    if (found != hashes->end()) {
      return parent * kTileWidth + static_cast<std::uint64_t>(found - hashes->begin());
    }
  }
  return std::nullopt;
}

// Where the first difference is, and which of three things makes the rest fit again.
struct Difference {
  std::size_t at = 0;
  Fault fault = Fault::kFlipped;
};

Difference compare(const std::vector<Hash>& have, const std::vector<Hash>& right) {
  const auto [h, r] = std::ranges::mismatch(have, right);
  Difference difference{static_cast<std::size_t>(r - right.begin())};
  const auto left = have.end() - h, wanted = right.end() - r;
  if (have.size() == right.size()) {
    if (std::ranges::is_permutation(have, right)) difference.fault = Fault::kReordered;
  } else if (left == 0) {
    difference.fault = Fault::kTruncated;
  } else if (left < wanted && std::equal(h, have.end(), right.end() - left)) {
    difference.fault = Fault::kMissing;
  } else if (left > wanted && std::equal(r, right.end(), have.end() - wanted)) {
    difference.fault = Fault::kInserted;
  }
  return difference;
}

}  // namespace

std::optional<Finding> diagnose_tile(const LogView& view, unsigned level, std::uint64_t index,
                                     const FoundFile& file, const std::vector<Hash>& right) {
  const unsigned below = kTileHeight * level;  // 2^below records stand below a hash
  Finding finding{Fault::kMissing, (index * kTileWidth) << below, file.path, 0, ""};
  if (!file.bytes) {
    finding.what = "the hash tile is missing; what it is made of is there";
    return finding;
  }
  const std::string& bytes = *file.bytes;
  const auto whole =
      read_tile(std::string_view(bytes).substr(0, bytes.size() / sizeof(Hash) * sizeof(Hash)));
  const bool ragged = bytes.size() % sizeof(Hash) != 0;
  if (*whole == right && !ragged) return std::nullopt;
  const Difference difference = compare(*whole, right);
  finding.fault = difference.fault;
  finding.record = (index * kTileWidth + difference.at) << below;
  finding.offset = difference.at * sizeof(Hash);
  const std::string what = "the hash tile, not what it is made of, was changed: ";
  if (ragged && bytes.size() < right.size() * sizeof(Hash)) {
    finding.fault = Fault::kTruncated;
  } else if (ragged) {
    finding.fault = Fault::kInserted;
  } else if (whole->size() == kTileWidth && right.size() == kTileWidth) {
    if (const auto other = tile_with_root(view, level, join(*whole)); other && *other != index) {
      const auto there = view.tile_hashes(level, *other);
      const bool swapped = there && *there == right;
      finding.fault = swapped ? Fault::kReordered : Fault::kDuplicated;
      finding.record = (index * kTileWidth) << below;
      finding.offset = 0;
      finding.what = what + (swapped ? "it changed places with " : "it is a copy of ") +
                     tile_path(level, *other, kTileWidth);
      return finding;
    }
  }
  finding.what = what + std::string(fault_name(finding.fault)) + " hashes";
  return finding;
}

}  // namespace cardvault::audit
