#include "vault/audit/log_view.h"

#include <algorithm>
#include <system_error>

#include "vault/base/check.h"

namespace cardvault::audit {

std::uint64_t LogView::width(unsigned level, std::uint64_t index) const {
  const std::uint64_t all = hashes_at(level, size_), before = index * kTileWidth;
  CARDVAULT_CHECK(before < all);
  return std::min(kTileWidth, all - before);
}

std::uint64_t LogView::tiles_at(unsigned level) const {
  const std::uint64_t all = hashes_at(level, size_);
  return all / kTileWidth + (all % kTileWidth == 0 ? 0 : 1);
}

FoundFile LogView::find(const std::string& own, const std::string& full, bool partial) const {
  FoundFile found{own, std::nullopt, false};
  for (const std::string& path : {own, full}) {
    auto bytes = read_(path);
    if (!bytes) {
      throw base::StartupError(
          path + " can't be read: " +
          std::generic_category().message(static_cast<int>(bytes.error().number)));
    }
    if (*bytes) {
      found = {path, std::move(*bytes), partial && path == full};
      break;
    }
    if (!partial) break;
  }
  return found;
}

FoundFile LogView::tile(unsigned level, std::uint64_t index) const {
  const std::uint64_t wide = width(level, index);
  FoundFile found =
      find(tile_path(level, index, wide), tile_path(level, index, kTileWidth), wide != kTileWidth);
  if (found.fuller && found.bytes->size() == kTileWidth * sizeof(Hash)) {
    found.bytes->resize(wide * sizeof(Hash));
  }
  return found;
}

FoundFile LogView::bundle(std::uint64_t index) const {
  const std::uint64_t wide = width(0, index);
  return find(bundle_path(index, wide), bundle_path(index, kTileWidth), wide != kTileWidth);
}

std::optional<std::vector<Hash>> LogView::tile_hashes(unsigned level, std::uint64_t index) const {
  const FoundFile found = tile(level, index);
  auto hashes = read_tile(found.bytes.value_or(""));
  if (!hashes || hashes->size() != width(level, index)) return std::nullopt;
  return hashes;
}

std::optional<Hash> LogView::record_hash(std::uint64_t record) const {
  if (record >= size_) return std::nullopt;
  const auto hashes = tile_hashes(0, record / kTileWidth);
  if (!hashes) return std::nullopt;
  return (*hashes)[record % kTileWidth];
}

std::optional<std::string> LogView::record(std::uint64_t record) const {
  if (record >= size_) return std::nullopt;
  const FoundFile found = bundle(record / kTileWidth);
  if (!found.bytes) return std::nullopt;
  BundleReader entries(*found.bytes);
  std::optional<std::string_view> entry;
  for (std::uint64_t i = 0; i <= record % kTileWidth; ++i) {
    entry = entries.next();
    if (!entry) return std::nullopt;
  }
  return std::string(*entry);
}

}  // namespace cardvault::audit
