// Holds the records of one bundle against the hashes that its tile has for them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "vault/audit/finding.h"
#include "vault/audit/log_view.h"

namespace cardvault::audit {

// What the events of consecutive records say of themselves. Numbers and times that do not fit each
// other can only stand in records that were rewritten, or in a log that a vault wrote wrongly.
struct EventTrail {
  bool any = false;
  std::int64_t first_shift = 0, last_shift = 0;  // event's number - its place in the log
  std::int64_t first_ms = 0, last_ms = 0;
};

// A finding for a step from one record to the next in number; nullopt for the step that is right.
[[nodiscard]] std::optional<Finding> judge_shift(std::int64_t before, std::int64_t after,
                                                 std::uint64_t record, const std::string& file,
                                                 std::uint64_t offset);
[[nodiscard]] std::optional<Finding> judge_time(std::int64_t before_ms, std::int64_t after_ms,
                                                std::uint64_t record, const std::string& file,
                                                std::uint64_t offset);

// `hashes`: what the tile says, nullopt where that is not known, which is then not compared;
// `trusted`: they are the logged ones. With `diagnose`, the first difference is looked into, which
// can take a second; else it is only named. At most one difference of hashes is reported.
// Thread-safe when the view is.
[[nodiscard]] EventTrail check_bundle(const LogView& view, std::uint64_t index,
                                      std::span<const std::optional<Hash>> hashes, bool trusted,
                                      bool diagnose, std::vector<Finding>& findings);

// What happened in a bundle whose record number `at`, counted in it, is the first that differs from
// the right hash.
[[nodiscard]] Finding diagnose_bundle(const LogView& view, std::uint64_t index,
                                      const FoundFile& file,
                                      std::span<const std::optional<Hash>> hashes, std::size_t at);

}  // namespace cardvault::audit
