// The keys of a log over the years: each is endorsed, in the log itself, by the one before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/audit/checkpoint.h"
#include "vault/audit/log_view.h"

namespace cardvault::audit {

struct EndorsedKey {
  VerifierKey key;
  std::uint64_t record = 0;  // of the event that endorses it
};

// The key that an event endorses in a statement signed by `by` (docs/keys.md); nullopt: none.
[[nodiscard]] std::optional<VerifierKey> endorsed_key(std::string_view event,
                                                      const VerifierKey& by);

struct Successors {
  std::vector<EndorsedKey> keys;       // in their order
  std::optional<std::string> missing;  // the file at which the search had to end
  std::uint64_t missing_record = 0;    // its first record
};
// The keys that came after `first`. A key endorses one, the first that it names: what an old key
// signs later counts for nothing. Reads all records, so whoever needs no other key than `first`
// doesn't call it. What it reads is checked by the endorsements' signatures alone. Throws
// StartupError as LogView.
[[nodiscard]] Successors find_successors(const LogView& view, const VerifierKey& first);

}  // namespace cardvault::audit
