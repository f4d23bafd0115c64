// A group of log lines as one blob: each line preceded by its length, 32 bits little-endian.
// Written once per group commit by the store, read back by the publisher, the tail and at start.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vault/base/result.h"
#include "vault/core/event.h"

namespace cardvault::audit {

// Appends one length-prefixed line. One that the published log could not hold (kMaxEntryBytes) has
// its texts cut and a detail that says so.
void append_leaf(std::string& blob, std::uint64_t seq, const core::Event& event);

// Walks a blob, which must outlive it and the lines it gives. Not thread-safe.
class LeafReader {
 public:
  explicit LeafReader(std::string_view blob) : rest_(blob) {}
  // The next line, nullopt at the end, kRecordDamaged when a length points past the end.
  [[nodiscard]] base::Result<std::optional<std::string_view>> next();

 private:
  std::string_view rest_;
};

}  // namespace cardvault::audit
