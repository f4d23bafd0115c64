// The growing edge of a tree: what has to be known to go on with a log, and the files that it
// makes.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "vault/audit/tile.h"
#include "vault/audit/tile_reader.h"
#include "vault/base/result.h"

namespace cardvault::audit {

struct LogFile {
  std::string path;
  std::string bytes;
};

// At most 8 partial tiles and one partial bundle. Cheap to copy; not thread-safe.
class TileTree {
 public:
  // The edge at reader.size(). Errors of the reader; kRecordDamaged when the entries of the last
  // bundle are not those of its tile. Whether it is the tree that somebody signed, root() tells.
  [[nodiscard]] static base::Result<TileTree> load(const TileReader& reader);
  TileTree() = default;

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] Hash root() const;
  // Appends one; the tiles and the bundle that it completes go to `files`. At most kMaxEntryBytes.
  void add(std::string_view entry, std::vector<LogFile>& files);
  // The paths that the partial tiles and the partial bundle will have when they are full.
  [[nodiscard]] std::vector<std::string> unfinished() const;
  // The partial tiles and the partial bundle that a tree of `since` entries did not have.
  void append_partials(std::uint64_t since, std::vector<LogFile>& files) const;

 private:
  void add_hash(unsigned level, const Hash& hash, std::vector<LogFile>& files);

  std::uint64_t size_ = 0;
  std::array<std::vector<Hash>, kMaxTileLevels> partial_;
  std::string bundle_;
};

}  // namespace cardvault::audit
