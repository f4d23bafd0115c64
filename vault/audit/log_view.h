// A log's files as a verifier takes them: whatever they hold, or that they are not there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "vault/audit/tile_reader.h"

namespace cardvault::audit {

// A file, found under its own name or, for a partial one, as the fuller one that took its place.
struct FoundFile {
  std::string path;
  std::optional<std::string> bytes;  // nullopt: neither is there
  bool fuller = false;               // what follows belongs to a later state of the log
};

// Of a log of `size` records. Thread-safe when `read` is. Throws StartupError where a file is
// there but can't be read: then nothing can be said about the log.
class LogView {
 public:
  LogView(ReadFile read, std::uint64_t size) : read_(std::move(read)), size_(size) {}

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  // 256, or fewer for the last one.
  [[nodiscard]] std::uint64_t width(unsigned level, std::uint64_t index) const;
  [[nodiscard]] std::uint64_t tiles_at(unsigned level) const;
  // Where fuller, a tile is cut to the width that it has here.
  [[nodiscard]] FoundFile tile(unsigned level, std::uint64_t index) const;
  [[nodiscard]] FoundFile bundle(std::uint64_t index) const;

  // What the files say, for telling what happened; checked against nothing.
  [[nodiscard]] std::optional<std::vector<Hash>> tile_hashes(unsigned level,
                                                             std::uint64_t index) const;
  [[nodiscard]] std::optional<Hash> record_hash(std::uint64_t record) const;  // by its tile
  [[nodiscard]] std::optional<std::string> record(std::uint64_t record) const;

 private:
  [[nodiscard]] FoundFile find(const std::string& own, const std::string& full, bool partial) const;

  ReadFile read_;
  std::uint64_t size_;
};

}  // namespace cardvault::audit
