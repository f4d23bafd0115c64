// Reads hashes and entries of a published log, at a given size of it.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "vault/audit/proof.h"
#include "vault/audit/tile.h"
#include "vault/base/result.h"

namespace cardvault::audit {

// A file of the log by its path; nullopt: there is none.
using ReadFile = std::function<base::Result<std::optional<std::string>>(const std::string& path)>;

// Where a tile is partial at that size, its file may have given way to a fuller one of the same
// beginning, which is then read. Errors: of `read`; kNotFound: no such file; kRecordDamaged: not of
// the length it must have. What it gives is not checked against any root. One thread.
class TileReader {
 public:
  TileReader(ReadFile read, std::uint64_t size) : read_(std::move(read)), size_(size) {}

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  // As wide as a tree of that size has it; at least one hash.
  [[nodiscard]] base::Result<std::vector<Hash>> tile(unsigned level, std::uint64_t index) const;
  // The bundle with that number, of which the first entries are the tree's: they, and no more.
  [[nodiscard]] base::Result<std::string> bundle(std::uint64_t index) const;
  [[nodiscard]] base::Result<std::string> entry(std::uint64_t index) const;
  // See NodeSource; keeps the last tile of each level.
  [[nodiscard]] base::Result<Hash> node(unsigned level, std::uint64_t index);
  // Of this object, which must outlive it.
  [[nodiscard]] NodeSource nodes() {
    return [this](unsigned level, std::uint64_t index) { return node(level, index); };
  }
  // 256 for a full tile.
  [[nodiscard]] std::uint64_t width(unsigned level, std::uint64_t index) const;

 private:
  struct Kept {
    std::uint64_t index = UINT64_MAX;
    std::vector<Hash> hashes;
  };
  ReadFile read_;
  std::uint64_t size_;
  std::array<Kept, kMaxTileLevels> kept_;
};

}  // namespace cardvault::audit
