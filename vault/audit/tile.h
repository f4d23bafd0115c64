// The files of a published log, as C2SP tlog-tiles names and fills them (c2sp.org/tlog-tiles):
//
//   checkpoint                  the signed root (checkpoint.h)
//   tile/L/N[.p/W]              W (or 256) hashes of 32 bytes: number i is the root of the complete
//                               subtree of 256^L entries that begins at entry (N * 256 + i) * 256^L
//   tile/entries/N[.p/W]        W (or 256) entries, each after its length (16 bits, big-endian)
//
// N is written in groups of three digits, all but the last after an x: 1234067 is x001/x234/067.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/audit/merkle.h"

namespace cardvault::audit {

inline constexpr unsigned kTileHeight = 8;
inline constexpr std::uint64_t kTileWidth = 256;
inline constexpr unsigned kMaxTileLevels = 8;  // 256^8 entries are more than 64 bits number
inline constexpr std::string_view kCheckpointPath = "checkpoint";

// The widths 1..256; 256 is the full tile, whose path has no suffix.
[[nodiscard]] std::string tile_path(unsigned level, std::uint64_t index, std::uint64_t width);
[[nodiscard]] std::string bundle_path(std::uint64_t index, std::uint64_t width);

// Where a tile or a bundle stands; a bundle is of level 0.
struct TilePlace {
  unsigned level = 0;
  std::uint64_t index = 0;
  std::uint64_t width = kTileWidth;
  bool bundle = false;
};
// nullopt: not, letter for letter, what tile_path() or bundle_path() gives.
[[nodiscard]] std::optional<TilePlace> parse_tile_path(std::string_view path);
// Is this the path of one of a log's files? Then it leads nowhere else.
[[nodiscard]] bool is_log_path(std::string_view path);

// How many hashes of `level` a tree of `size` entries has in all, full tiles and the partial one.
[[nodiscard]] constexpr std::uint64_t hashes_at(unsigned level, std::uint64_t size) {
  return size >> (kTileHeight * level);
}

[[nodiscard]] std::string tile_bytes(const std::vector<Hash>& hashes);
// nullopt when the length is no multiple of a hash's.
[[nodiscard]] std::optional<std::vector<Hash>> read_tile(std::string_view bytes);

// Appends an entry to a bundle. At most kMaxEntryBytes.
void append_entry(std::string& bundle, std::string_view entry);

// Walks a bundle, which must outlive it and the entries it gives. Not thread-safe.
class BundleReader {
 public:
  explicit BundleReader(std::string_view bundle) : bundle_(bundle) {}
  // The next entry; nullopt at the end, and where the rest is shorter than it says.
  [[nodiscard]] std::optional<std::string_view> next();
  // Where the next entry's length stands, in bytes from the beginning.
  [[nodiscard]] std::size_t offset() const noexcept { return offset_; }
  [[nodiscard]] bool at_end() const noexcept { return offset_ == bundle_.size(); }

 private:
  std::string_view bundle_;
  std::size_t offset_ = 0;
};

}  // namespace cardvault::audit
