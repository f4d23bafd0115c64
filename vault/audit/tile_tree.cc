#include "vault/audit/tile_tree.h"

#include <utility>

namespace cardvault::audit {

base::Result<TileTree> TileTree::load(const TileReader& reader) {
  TileTree tree;
  tree.size_ = reader.size();
  for (unsigned level = 0; level < kMaxTileLevels; ++level) {
    const std::uint64_t hashes = hashes_at(level, tree.size_);
    if (hashes % kTileWidth == 0) continue;
    auto tile = reader.tile(level, hashes / kTileWidth);
    if (!tile) return std::unexpected(tile.error());
    tree.partial_[level] = std::move(*tile);
  }
  if (tree.partial_[0].empty()) return tree;
  auto bundle = reader.bundle(tree.size_ / kTileWidth);
  if (!bundle) return std::unexpected(bundle.error());
  tree.bundle_ = std::move(*bundle);
  BundleReader entries(tree.bundle_);
  for (const Hash& hash : tree.partial_[0]) {
    if (leaf_hash(*entries.next()) != hash) {
      return base::fail(base::Code::kRecordDamaged, "compare bundle with tile");
    }
  }
  return tree;
}

Hash TileTree::root() const {
  if (size_ == 0) return empty_root();
  Hash root{};
  bool any = false;
  for (const std::vector<Hash>& hashes : partial_) {
    if (hashes.empty()) continue;
    root = join(hashes, any ? &root : nullptr);
    any = true;
  }
  return root;
}

void TileTree::add(std::string_view entry, std::vector<LogFile>& files) {
  append_entry(bundle_, entry);
  ++size_;
  if (size_ % kTileWidth == 0) {
    files.push_back({bundle_path(size_ / kTileWidth - 1, kTileWidth), std::move(bundle_)});
    bundle_.clear();
  }
  add_hash(0, leaf_hash(entry), files);
}

void TileTree::add_hash(unsigned level, const Hash& hash, std::vector<LogFile>& files) {
  std::vector<Hash>& hashes = partial_[level];
  hashes.push_back(hash);
  if (hashes.size() != kTileWidth) return;
  const std::uint64_t index = hashes_at(level, size_) / kTileWidth - 1;
  files.push_back({tile_path(level, index, kTileWidth), tile_bytes(hashes)});
  const Hash above = join(hashes);
  hashes.clear();
  add_hash(level + 1, above, files);
}

std::vector<std::string> TileTree::unfinished() const {
  std::vector<std::string> paths;
  for (unsigned level = 0; level < kMaxTileLevels; ++level) {
    if (partial_[level].empty()) continue;
    const std::uint64_t index = hashes_at(level, size_) / kTileWidth;
    paths.push_back(tile_path(level, index, kTileWidth));
    if (level == 0) paths.push_back(bundle_path(index, kTileWidth));
  }
  return paths;
}

void TileTree::append_partials(std::uint64_t since, std::vector<LogFile>& files) const {
  if (size_ == since) return;
  for (unsigned level = 0; level < kMaxTileLevels; ++level) {
    const std::vector<Hash>& hashes = partial_[level];
    const std::uint64_t all = hashes_at(level, size_);
    if (hashes.empty() || hashes_at(level, since) == all) continue;
    files.push_back({tile_path(level, all / kTileWidth, hashes.size()), tile_bytes(hashes)});
    if (level == 0) files.push_back({bundle_path(all / kTileWidth, hashes.size()), bundle_});
  }
}

}  // namespace cardvault::audit
