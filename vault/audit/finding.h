// What verifying a log can find.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cardvault::audit {

enum class Fault : std::uint8_t {
  kFlipped,          // bytes are not those that were logged
  kMissing,          // taken out
  kInserted,         // put in
  kReordered,        // moved to another place
  kDuplicated,       // another one stands in its place a second time
  kTruncated,        // cut off at the end
  kRewritten,        // changed together with the hashes over it, up to one that could not be
  kRolledBack,       // the log is an older state of itself, or another continuation of it
  kForgedSignature,  // the checkpoint is not what the key signed
  kForeignLog,       // the checkpoint is of another log or by another key
  kMalformed,        // signed as it stands, and yet no event that a vault writes there
};
// "flipped", "missing", … "rolled back", "forged signature", "foreign log", "malformed".
[[nodiscard]] std::string_view fault_name(Fault fault) noexcept;

inline constexpr std::uint64_t kNoRecord = UINT64_MAX;

struct Finding {
  Fault fault = Fault::kFlipped;
  std::uint64_t record = kNoRecord;  // the first one it touches
  std::string file;                  // below the log's folder; may be empty
  std::uint64_t offset = 0;          // in the file, bytes
  std::string what;                  // a sentence; nothing of what the files hold is in it
};

}  // namespace cardvault::audit
