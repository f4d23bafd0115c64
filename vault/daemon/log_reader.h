// Reads the log wherever its events are: in the databases, or already only in the published files.
#pragma once

#include <memory>
#include <vector>

#include "vault/audit/disk_log_files.h"
#include "vault/store/sqlite_store.h"

namespace cardvault::daemon {

// Belongs to one thread.
class LogReader {
 public:
  // kStoreFailed. Throws StartupError when the published log's folder, or one of those that files
  // of closed months were moved to, can't be opened.
  [[nodiscard]] static base::Result<std::unique_ptr<LogReader>> open(
      const store::SqliteStore& store, const std::string& published_dir,
      const std::vector<std::string>& closed);

  // Up to `limit` consecutive lines from `from` on; empty at the end. kStoreFailed, kRecordDamaged,
  // kNotFound: a file of the published log is missing.
  [[nodiscard]] base::Result<std::vector<store::LogLine>> read(std::uint64_t from,
                                                               std::size_t limit);

 private:
  LogReader(std::unique_ptr<store::EventReader> events, const std::string& dir,
            const std::vector<std::string>& closed)
      : events_(std::move(events)), files_(dir, closed) {}
  [[nodiscard]] base::Result<std::vector<store::LogLine>> read_published(std::uint64_t from,
                                                                         std::size_t limit);

  std::unique_ptr<store::EventReader> events_;
  audit::DiskLogFiles files_;
};

}  // namespace cardvault::daemon
