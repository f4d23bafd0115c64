// Custodians who left: what they know can't be unlearned. A file beside the transcripts, "left".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vault/custody/transcript.h"

namespace cardvault::custody {

struct Left {
  std::string name;
  std::int64_t time_ms = 0;
  std::string secrets;  // that they hold shares of, by the transcript: "so-pin, user-pin"
};

[[nodiscard]] std::string left_log_path(const std::string& transcript_path);

// Appends one line and syncs it. Throws StartupError.
void record_left(const std::string& transcript_path, const std::string& name, std::int64_t now_ms);

// Everybody who was recorded as gone; `secrets` is "" where none of this transcript's valid shares
// are theirs. Torn lines count for nothing. Throws StartupError.
[[nodiscard]] std::vector<Left> all_who_left(const std::string& transcript_path,
                                             const Transcript& transcript);
// Those of them who still hold valid shares.
[[nodiscard]] std::vector<Left> who_left(const std::string& transcript_path,
                                         const Transcript& transcript);

// The secrets a custodian holds valid shares of: "so-pin, user-pin"; "" for none.
[[nodiscard]] std::string secrets_of(const Transcript& transcript, const std::string& name);

// What is to be done when this custodian leaves.
[[nodiscard]] std::string how_to_replace(const std::string& name);

}  // namespace cardvault::custody
