// The months of a log: each is closed with a checkpoint of its own at its last event, so that its
// files can leave the log's folder for write-once storage (docs/audit.md, "Months").
//
//   segment/2026-11/checkpoint    the log's checkpoint when the month's last event was published
//   segment/2026-11/tile/...      the files that are partial at that size, under the names that
//                                 they have in the log's folder
//   segment/2026-11/manifest      which events, and which of the log's files are complete in it
//   segment/latest                the manifest of the newest closed month
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/audit/log_files.h"
#include "vault/audit/log_writer.h"

namespace cardvault::audit {

// "2026-11", of an event's line or of a time; empty for what is no event.
[[nodiscard]] std::string month_of(std::string_view event_line);
[[nodiscard]] std::string month_of(std::int64_t unix_ms);

// What is complete in a log of `size` entries and was not in one of `since`.
struct FileRange {
  std::string folder;  // "tile/entries", "tile/0", …
  std::uint64_t first = 0, last = 0;
};
[[nodiscard]] std::vector<FileRange> completed_between(std::uint64_t since, std::uint64_t size);

struct Manifest {
  std::string log, month, previous;   // previous: the month closed before; may be empty
  std::uint64_t first = 0, size = 0;  // its events are first .. size - 1
};
[[nodiscard]] std::string manifest_text(const Manifest& manifest);
// nullopt: no manifest. The files it names follow from its numbers: completed_between().
[[nodiscard]] std::optional<Manifest> parse_manifest(std::string_view text);
// The manifest of the newest closed month.
inline constexpr std::string_view kLatestManifest = "segment/latest";
// "segment/2026-11".
[[nodiscard]] std::string segment_folder(std::string_view month);
// Is this, letter for letter, the path of a file of a closed month, or of the newest manifest? Then
// it leads nowhere else.
[[nodiscard]] bool is_segment_path(std::string_view path);
// Paths, in the log's folder, of the files that are partial in a log of `size` entries.
[[nodiscard]] std::vector<std::string> edge_files(std::uint64_t size);
// Names a month's files, those in the log's folder and those in its own: what may be moved away.
void for_each_file(const Manifest& manifest,
                   const std::function<void(const std::string& path)>& name);

// Publishes through a LogWriter, month by month: no event of a month is published before the months
// before it are closed, durably. Belongs to one thread.
class MonthlyLog {
 public:
  // Keeps the log's checkpoint where the next open() of a LogWriter gets it from, durably. A later
  // one is proven without the files of what was published before it.
  using Keep = std::function<base::Result<void>()>;

  // Both outlive it; the writer was opened. `keep` is called at the end of each month, before its
  // files may be moved away.
  MonthlyLog(LogFiles& files, LogWriter& writer, Keep keep)
      : files_(files), writer_(writer), keep_(std::move(keep)) {}

  // As LogWriter::publish(), but it may publish only the first of them: see LogWriter::size().
  // Errors of Keep too.
  [[nodiscard]] base::Result<void> publish(std::span<const std::string> entries);
  // Of the last published event; empty: there is none. Errors of reading.
  [[nodiscard]] base::Result<std::string> month();
  // Files that are complete at this size may have been moved away, with the months that are closed;
  // 0: no month is. Errors of reading.
  [[nodiscard]] base::Result<std::uint64_t> closed_size();

 private:
  [[nodiscard]] base::Result<std::optional<Manifest>> latest();
  [[nodiscard]] base::Result<void> close(const std::string& month);

  LogFiles& files_;
  LogWriter& writer_;
  const Keep keep_;
  std::string month_;
};

}  // namespace cardvault::audit
