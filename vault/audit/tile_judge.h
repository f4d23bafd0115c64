// Holds hash tiles against what is already known to be right: the checkpoint's root for those at
// the log's end, the tile above for all others.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "vault/audit/finding.h"
#include "vault/audit/log_view.h"

namespace cardvault::audit {

struct JudgedTile {
  // As many as the tile is wide; nullopt where neither the file nor what lies below it tells one.
  std::vector<std::optional<Hash>> hashes;
  bool trusted = false;  // they are the logged ones
};

// A tile whose file is wrong is made again from what it was made of: then it is known which of both
// was changed. Thread-safe when the view is.
class TileJudge {
 public:
  explicit TileJudge(const LogView& view) : view_(view) {}

  // A full tile. `expected`: its root, nullopt when that is not known; `expected_trusted`: and it
  // is the logged one.
  [[nodiscard]] JudgedTile full(unsigned level, std::uint64_t index,
                                const std::optional<Hash>& expected, bool expected_trusted,
                                std::vector<Finding>& findings) const;
  // The partial tiles, by level; empty where there is none.
  using Edge = std::array<JudgedTile, kMaxTileLevels>;
  [[nodiscard]] Edge edge(const Hash& root, std::vector<Finding>& findings) const;

 private:
  // What the tile's hashes would be by what lies below: entries or tiles.
  [[nodiscard]] std::vector<std::optional<Hash>> from_below(unsigned level,
                                                            std::uint64_t index) const;
  const LogView& view_;
};

// What happened to a tile whose right hashes are known; nullopt: nothing.
[[nodiscard]] std::optional<Finding> diagnose_tile(const LogView& view, unsigned level,
                                                   std::uint64_t index, const FoundFile& file,
                                                   const std::vector<Hash>& right);

}  // namespace cardvault::audit
