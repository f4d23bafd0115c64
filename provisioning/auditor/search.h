// Finds events in a published log.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "provisioning/auditor/event_query.h"
#include "provisioning/auditor/index_folder.h"
#include "vault/audit/proven_log.h"

namespace cardvault::auditor {

// Every event that is given was read back from its bundle and checked up to the checkpoint. That
// none is left out rests on an index for those parts of the log that have one, which was made with
// the reader's own key from records checked in the same way; what has none is read, and gets one.
// Where the time alone is asked for, it rests on times never stepping back, which `audit verify`
// checks. One thread uses it, it makes its own.
class LogSearch {
 public:
  struct Options {
    const IndexFolder* index = nullptr;  // nullptr: everything is read
    unsigned threads = 0;                // 0: one per core
    std::function<void(std::uint64_t done, std::uint64_t all)> progress = {};  // of records
  };
  LogSearch(audit::ReadFile read, audit::Checkpoint checkpoint, Options options);

  // false from `each`: enough. Throws NotProven, StartupError.
  using Each =
      std::function<bool(std::uint64_t record, std::string_view line, const core::Event& event)>;
  void run(const EventQuery& query, const Each& each);

  [[nodiscard]] std::uint64_t malformed() const noexcept { return malformed_; }  // records so far
  [[nodiscard]] bool index_unwritten() const noexcept { return unwritten_; }

 private:
  struct Part {
    std::uint64_t number;
    audit::BundleSet bundles;
  };
  [[nodiscard]] std::uint64_t first_bundle_from(std::int64_t time_ms);
  [[nodiscard]] std::vector<Part> candidates(const EventQuery& query, std::uint64_t first,
                                             std::uint64_t end);
  // Those of bundles [first, end), all of one part, that hold what is asked for.
  [[nodiscard]] audit::BundleSet bundles_of(audit::ProvenLog& log, const EventQuery& query,
                                            std::uint64_t first, std::uint64_t end,
                                            std::atomic<bool>& unwritten) const;
  [[nodiscard]] static audit::BundleSet read_bundles(audit::ProvenLog& log, const EventQuery& query,
                                                     std::uint64_t first, std::uint64_t end,
                                                     audit::IndexBuilder* index);

  const audit::ReadFile read_;
  const Options options_;
  audit::ProvenLog log_;
  std::uint64_t malformed_ = 0;
  bool unwritten_ = false;
};

}  // namespace cardvault::auditor
