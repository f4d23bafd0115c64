// When each share was last proven to be good: a file beside the transcript, "<transcript>.drills".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vault/custody/share_register.h"

namespace cardvault::custody {

struct Drill {
  KnownShare share;
  std::int64_t proven_ms = 0;  // 0: never since it was delivered
  std::int64_t delivered_ms = 0;
};

[[nodiscard]] std::string drill_log_path(const std::string& transcript_path);

// Appends one line and syncs it. Throws StartupError.
void record_drill(const std::string& transcript_path, const KnownShare& share, std::int64_t now_ms);

// Every valid share of the transcript with its last drill. Lines of the log that are not of this
// transcript's shares, or torn, count for nothing. Throws StartupError when the transcript can't be
// read.
[[nodiscard]] std::vector<Drill> last_drills(const std::string& transcript_path);

}  // namespace cardvault::custody
