#include "vault/audit/tile_reader.h"

#include <algorithm>

#include "vault/base/check.h"

namespace cardvault::audit {

using base::Code;

std::uint64_t TileReader::width(unsigned level, std::uint64_t index) const {
  const std::uint64_t all = hashes_at(level, size_), before = index * kTileWidth;
  CARDVAULT_CHECK(before < all);
  return std::min(kTileWidth, all - before);
}

base::Result<std::vector<Hash>> TileReader::tile(unsigned level, std::uint64_t index) const {
  const std::uint64_t wide = width(level, index);
  auto bytes = read_(tile_path(level, index, wide));
  const bool fuller = bytes && !*bytes && wide != kTileWidth;
  if (fuller) bytes = read_(tile_path(level, index, kTileWidth));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return base::fail(Code::kNotFound, "read tile", level);
  auto hashes = read_tile(**bytes);
  if (!hashes || hashes->size() != (fuller ? kTileWidth : wide)) {
    return base::fail(Code::kRecordDamaged, "read tile", level);
  }
  hashes->resize(wide);
  return std::move(*hashes);
}

base::Result<std::string> TileReader::bundle(std::uint64_t index) const {
  const std::uint64_t wide = width(0, index);
  auto bytes = read_(bundle_path(index, wide));
  const bool fuller = bytes && !*bytes && wide != kTileWidth;
  if (fuller) bytes = read_(bundle_path(index, kTileWidth));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return base::fail(Code::kNotFound, "read bundle");
  BundleReader entries(**bytes);
  for (std::uint64_t i = 0; i < wide; ++i) {
    if (!entries.next()) return base::fail(Code::kRecordDamaged, "read bundle");
  }
  if (!fuller && !entries.at_end()) return base::fail(Code::kRecordDamaged, "read bundle");
  (*bytes)->resize(entries.offset());
  return std::move(**bytes);
}

base::Result<std::string> TileReader::entry(std::uint64_t index) const {
  const auto bytes = bundle(index / kTileWidth);
  if (!bytes) return bytes;
  BundleReader entries(*bytes);
  for (std::uint64_t i = 0; i < index % kTileWidth; ++i) static_cast<void>(entries.next());
  return std::string(*entries.next());
}

base::Result<Hash> TileReader::node(unsigned level, std::uint64_t index) {
  const unsigned tile_level = level / kTileHeight, inside = level % kTileHeight;
  const std::uint64_t first = index << inside;
  Kept& kept = kept_[tile_level];
  if (kept.index != first / kTileWidth) {
    auto hashes = tile(tile_level, first / kTileWidth);
    if (!hashes) return std::unexpected(hashes.error());
    kept = {first / kTileWidth, std::move(*hashes)};
  }
  const std::uint64_t at = first % kTileWidth, count = std::uint64_t{1} << inside;
  CARDVAULT_CHECK(at + count <= kept.hashes.size());
  return join(std::span(kept.hashes).subspan(at, count));
}

}  // namespace cardvault::audit
