#include "vault/audit/bundle_check.h"

#include "vault/audit/event_codec.h"

namespace cardvault::audit {
namespace {

Finding missing_file(const LogView& view, std::uint64_t index, const FoundFile& file) {
  Finding finding{Fault::kMissing, index * kTileWidth, file.path, 0, "the file is missing"};
  const bool later = index + 1 < view.tiles_at(0) && view.bundle(index + 1).bytes;
  if (!later) {
    finding.fault = Fault::kTruncated;
    finding.what = "the log ends here, and its checkpoint says that it has " +
                   std::to_string(view.size()) + " records";
  }
  return finding;
}

// Looks at an event, whose record is as its hash says.
class Trail {
 public:
  Trail(EventTrail& trail, const std::string& file, bool trusted, std::vector<Finding>& findings)
      : trail_(trail), file_(file), trusted_(trusted), findings_(findings) {}

  void look(std::uint64_t record, std::string_view entry, std::uint64_t offset) {
    const auto head = check_event(entry);
    if (!head) {
      findings_.push_back({trusted_ ? Fault::kMalformed : Fault::kRewritten, record, file_,
                           offset + static_cast<std::uint64_t>(head.error().number),
                           "the record is no event in the form of this log"});
      return;
    }
    const auto shift = static_cast<std::int64_t>(head->seq - record);
    if (!trail_.any) {
      trail_ = {true, shift, shift, head->time_ms, head->time_ms};
      return;
    }
    keep(judge_shift(trail_.last_shift, shift, record, file_, offset));
    keep(judge_time(trail_.last_ms, head->time_ms, record, file_, offset));
    trail_.last_shift = shift;
    trail_.last_ms = head->time_ms;
  }

 private:
  void keep(std::optional<Finding> finding) {
    if (finding) findings_.push_back(std::move(*finding));
  }
  EventTrail& trail_;
  const std::string& file_;
  const bool trusted_;
  std::vector<Finding>& findings_;
};

}  // namespace

std::optional<Finding> judge_shift(std::int64_t before, std::int64_t after, std::uint64_t record,
                                   const std::string& file, std::uint64_t offset) {
  if (before == after) return std::nullopt;
  const bool gap = after > before;
  return Finding{gap ? Fault::kMissing : Fault::kInserted, record, file, offset,
                 "the event here calls itself number " +
                     std::to_string(record + static_cast<std::uint64_t>(after)) +
                     ", after number " +
                     std::to_string(record + static_cast<std::uint64_t>(before) - 1)};
}

std::optional<Finding> judge_time(std::int64_t before_ms, std::int64_t after_ms,
                                  std::uint64_t record, const std::string& file,
                                  std::uint64_t offset) {
  if (before_ms <= after_ms) return std::nullopt;
  return Finding{Fault::kMalformed, record, file, offset,
                 "the event's time is " + std::to_string(before_ms - after_ms) +
                     " ms before the one before it"};
}

EventTrail check_bundle(const LogView& view, std::uint64_t index,
                        std::span<const std::optional<Hash>> hashes, bool trusted, bool diagnose,
                        std::vector<Finding>& findings) {
  EventTrail events;
  const FoundFile file = view.bundle(index);
  if (!file.bytes) {
    findings.push_back(missing_file(view, index, file));
    return events;
  }
  BundleReader entries(*file.bytes);
  Trail trail(events, file.path, trusted, findings);
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const std::uint64_t record = index * kTileWidth + i, offset = entries.offset();
    const auto entry = entries.next();
    if (!entry || (hashes[i] && leaf_hash(*entry) != *hashes[i])) {
      findings.push_back(diagnose ? diagnose_bundle(view, index, file, hashes, i)
                                  : Finding{entry ? Fault::kFlipped : Fault::kTruncated, record,
                                            file.path, offset, "the record is not the logged one"});
      return events;
    }
    trail.look(record, *entry, offset + 2);
  }
  if (!file.fuller && !entries.at_end()) {
    findings.push_back({Fault::kInserted, index * kTileWidth + hashes.size(), file.path,
                        entries.offset(),
                        std::to_string(file.bytes->size() - entries.offset()) +
                            " bytes follow the last record of the file"});
  }
  return events;
}

}  // namespace cardvault::audit
