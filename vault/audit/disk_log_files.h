// A published log's folder on a disk.
#pragma once

#include <set>
#include <utility>
#include <vector>

#include "vault/audit/log_files.h"

namespace cardvault::audit {

// Each sync of a file is a flush of the disk that the databases' commits have to wait for; so more
// than a few files are synced with their whole file system (syncfs(2), which tells of failed writes
// since Linux 5.8). They can be read by their owner and group (PCI DSS 10.3.1).
class DiskLogFiles final : public LogFiles {
 public:
  // Throws StartupError when the folder can't be opened.
  explicit DiskLogFiles(const std::string& folder);
  ~DiskLogFiles() override;
  DiskLogFiles(const DiskLogFiles&) = delete;             // owns descriptors
  DiskLogFiles& operator=(const DiskLogFiles&) = delete;  // owns descriptors

  [[nodiscard]] base::Result<std::optional<std::string>> read(const std::string& path) override;
  [[nodiscard]] base::Result<void> put(const std::string& path, std::string_view bytes) override;
  [[nodiscard]] base::Result<void> sync() override;
  [[nodiscard]] base::Result<void> replace(const std::string& path,
                                           std::string_view bytes) override;
  [[nodiscard]] base::Result<void> remove_folder(const std::string& path) override;

 private:
  [[nodiscard]] base::Result<void> make_folders(const std::string& path);
  // The file's descriptor, all bytes written.
  [[nodiscard]] base::Result<int> write_file(const std::string& path, std::string_view bytes);
  [[nodiscard]] base::Result<void> sync_each();
  void close_files();

  int root_;
  // Files to be synced; so many at most, and if there are more, all with their file system.
  std::vector<int> unsynced_;
  bool many_ = false;
  std::set<std::string> known_folders_;
  std::set<std::string> changed_folders_;  // to be synced
};

// All of a file below the folder open as `root`, or, where it is larger than any file of a log, its
// beginning; nullopt: there is none. kStoreFailed, for what is no file too.
[[nodiscard]] base::Result<std::optional<std::string>> read_whole(int root,
                                                                  const std::string& path);

}  // namespace cardvault::audit
