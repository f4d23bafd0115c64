#include "vault/audit/tile_judge.h"

#include <algorithm>
#include <functional>

namespace cardvault::audit {
namespace {

using MaybeHashes = std::vector<std::optional<Hash>>;

// So many places may be in doubt between two hashes each: every combination is tried.
constexpr std::size_t kMostDoubts = 12;

std::optional<std::vector<Hash>> all_of(const MaybeHashes& maybe) {
  std::vector<Hash> hashes;
  hashes.reserve(maybe.size());
  for (const auto& one : maybe) {
    if (!one) return std::nullopt;
    hashes.push_back(*one);
  }
  return hashes;
}

MaybeHashes hashes_of_file(const FoundFile& file, std::uint64_t width) {
  MaybeHashes maybe(width);
  const auto hashes = read_tile(file.bytes.value_or(""));
  // Of another length than it must have: nobody knows which hash is whose.
  if (!hashes || hashes->size() != width) return maybe;
  std::copy(hashes->begin(), hashes->end(), maybe.begin());
  return maybe;
}

// Chooses at each place between what two sources say, until `right` agrees. The first list holds
// the choice afterwards. False: no choice does, or there are too many.
bool choose(std::vector<MaybeHashes*> lists, const std::vector<MaybeHashes>& others,
            const std::function<bool()>& right) {
  struct Doubt {
    std::optional<Hash>* place;
    Hash other;
  };
  std::vector<Doubt> doubts;
  for (std::size_t list = 0; list < lists.size(); ++list) {
    for (std::size_t i = 0; i < lists[list]->size(); ++i) {
      std::optional<Hash>& one = (*lists[list])[i];
      const std::optional<Hash>& other = others[list][i];
      if (!one) one = other;
      if (one && other && *one != *other) doubts.push_back({&one, *other});
    }
  }
  if (right()) return true;
  for (Doubt& doubt : doubts) std::swap(**doubt.place, doubt.other);
  if (right()) return true;
  for (Doubt& doubt : doubts) std::swap(**doubt.place, doubt.other);
  if (doubts.size() > kMostDoubts) return false;
  for (std::uint32_t mask = 1; mask < 1U << doubts.size(); ++mask) {
    // From one mask to the next: the places whose bit changed.
    for (std::size_t i = 0; i < doubts.size(); ++i) {
      if (((mask ^ (mask - 1)) >> i & 1) != 0) std::swap(**doubts[i].place, doubts[i].other);
    }
    if (right()) return true;
  }
  for (Doubt& doubt : doubts) std::swap(**doubt.place, doubt.other);  // as the first list had it
  return false;
}

std::uint64_t first_record(unsigned level, std::uint64_t index) {
  return index << (kTileHeight * (level + 1));
}

Finding rewritten(unsigned level, std::uint64_t index, std::uint64_t width, const FoundFile& file) {
  const std::uint64_t first = first_record(level, index);
  const std::uint64_t last = first + (width << (kTileHeight * level)) - 1;
  return {Fault::kRewritten, first, file.path, 0,
          "of records " + std::to_string(first) + " to " + std::to_string(last) +
              " at least one was changed together with its hashes"};
}

}  // namespace

MaybeHashes TileJudge::from_below(unsigned level, std::uint64_t index) const {
  MaybeHashes maybe(view_.width(level, index));
  if (level == 0) {
    const FoundFile file = view_.bundle(index);
    if (!file.bytes) return maybe;
    BundleReader entries(*file.bytes);
    for (auto& hash : maybe) {
      const auto entry = entries.next();
      if (!entry) break;
      hash = leaf_hash(*entry);
    }
    return maybe;
  }
  for (std::uint64_t i = 0; i < maybe.size(); ++i) {
    if (const auto below = view_.tile_hashes(level - 1, index * kTileWidth + i)) {
      maybe[i] = join(*below);
    }
  }
  return maybe;
}

JudgedTile TileJudge::full(unsigned level, std::uint64_t index, const std::optional<Hash>& expected,
                           bool expected_trusted, std::vector<Finding>& findings) const {
  const FoundFile file = view_.tile(level, index);
  JudgedTile judged{hashes_of_file(file, kTileWidth), false};
  const auto right = [&] {
    const auto hashes = all_of(judged.hashes);
    return hashes && (!expected || join(*hashes) == *expected);
  };
  if (right()) {
    judged.trusted = expected && expected_trusted;
    return judged;
  }
  const bool solved = choose({&judged.hashes}, {from_below(level, index)}, right);
  judged.trusted = solved && expected && expected_trusted;
  const auto hashes = all_of(judged.hashes);
  if (hashes && (solved || !read_tile(file.bytes.value_or("")) ||
                 file.bytes.value_or("").size() != kTileWidth * sizeof(Hash))) {
    if (auto finding = diagnose_tile(view_, level, index, file, *hashes)) {
      findings.push_back(std::move(*finding));
    }
  } else if (!hashes && !file.bytes) {
    findings.push_back(
        {Fault::kMissing, first_record(level, index), file.path, 0, "the file is missing"});
  } else if (!hashes) {
    findings.push_back({Fault::kTruncated, first_record(level, index), file.path,
                        file.bytes->size(), "the file has not the length that it must have"});
  }
  if (!solved && hashes && expected_trusted) {
    findings.push_back(rewritten(level, index, kTileWidth, file));
  }
  return judged;
}

TileJudge::Edge TileJudge::edge(const Hash& root, std::vector<Finding>& findings) const {
  Edge edge;
  std::array<FoundFile, kMaxTileLevels> files;
  std::vector<MaybeHashes*> lists;
  std::vector<unsigned> levels;
  for (unsigned level = 0; level < kMaxTileLevels; ++level) {
    const std::uint64_t all = hashes_at(level, view_.size());
    if (all % kTileWidth == 0) continue;
    files[level] = view_.tile(level, all / kTileWidth);
    edge[level].hashes = hashes_of_file(files[level], all % kTileWidth);
    lists.push_back(&edge[level].hashes);
    levels.push_back(level);
  }
  const auto right = [&] {
    std::optional<Hash> so_far;
    for (const MaybeHashes* list : lists) {
      const auto hashes = all_of(*list);
      if (!hashes) return false;
      so_far = join(*hashes, so_far ? &*so_far : nullptr);
    }
    return so_far.value_or(empty_root()) == root;
  };
  bool solved = right();
  if (!solved) {
    std::vector<MaybeHashes> below;
    for (const unsigned level : levels) {
      below.push_back(from_below(level, hashes_at(level, view_.size()) / kTileWidth));
    }
    solved = choose(lists, below, right);
  }
  bool complete = true;
  for (const unsigned level : levels) {
    const std::uint64_t index = hashes_at(level, view_.size()) / kTileWidth;
    edge[level].trusted = solved;
    const auto hashes = all_of(edge[level].hashes);
    complete = complete && hashes;
    if (!hashes) {
      const auto gap = static_cast<std::uint64_t>(
          std::ranges::find_if_not(edge[level].hashes, &std::optional<Hash>::has_value) -
          edge[level].hashes.begin());
      findings.push_back({Fault::kTruncated, (index * kTileWidth + gap) << (kTileHeight * level),
                          files[level].path, gap * sizeof(Hash),
                          "the hashes at the log's end, and what they are of, are not there"});
    } else if (auto finding = diagnose_tile(view_, level, index, files[level], *hashes)) {
      findings.push_back(std::move(*finding));
    }
  }
  if (!solved && complete) {
    findings.push_back({Fault::kRewritten, kNoRecord, std::string(kCheckpointPath), 0,
                        "the tiles do not have the root that the checkpoint signs: records were "
                        "changed, and all hashes over them too"});
  }
  return edge;
}

}  // namespace cardvault::audit
