// Goes through a whole log, all cores at once: tiles by the root, records by the tiles.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "vault/audit/finding.h"
#include "vault/audit/log_view.h"

namespace cardvault::audit {

struct WalkOptions {
  unsigned threads = 0;                                                 // 0: one per core
  std::function<void(std::uint64_t done, std::uint64_t all)> progress;  // any thread, one at a time
};

struct WalkReport {
  std::vector<Finding> findings;  // of records, then of hashes, each by record
  std::uint64_t records = 0;      // looked at
  std::int64_t first_ms = 0, last_ms = 0;
};

// After a thousand findings it looks no further. Memory: a few hundred KB a core, whatever the
// log's size (16 MB where records are as large as they can be). Throws StartupError: a file can't
// be read. `view` must be thread-safe.
[[nodiscard]] WalkReport walk_log(const LogView& view, const Hash& root,
                                  const WalkOptions& options);

}  // namespace cardvault::audit
