// A published log's folder on a disk.
#pragma once

#include <atomic>
#include <set>
#include <utility>
#include <vector>

#include "vault/audit/log_files.h"

namespace cardvault::audit {

// All of a file below the folder open as `root`, or, where it is larger than any file of a log, its
// beginning; nullopt: there is none. kStoreFailed, for what is no file too.
[[nodiscard]] base::Result<std::optional<std::string>> read_whole(int root,
                                                                  const std::string& path);

// Folders that hold parts of one log. Thread-safe after construction.
class FolderList {
 public:
  // Throws StartupError naming the one that can't be opened.
  explicit FolderList(const std::vector<std::string>& folders);
  ~FolderList();
  FolderList(const FolderList&) = delete;             // owns descriptors
  FolderList& operator=(const FolderList&) = delete;  // owns descriptors

  // As read_whole(), of the first folder that has it; the one that had the last is asked first.
  [[nodiscard]] base::Result<std::optional<std::string>> read(const std::string& path) const;
  // Of tiles and bundles alone: how long a log is, is never said by a folder with parts of it.
  [[nodiscard]] base::Result<std::optional<std::string>> read_tile(const std::string& path) const;

 private:
  std::vector<int> roots_;
  mutable std::atomic<std::size_t> last_ = 0;
};

// Each sync of a file is a flush of the disk that the databases' commits have to wait for; so more
// than a few files are synced with their whole file system (syncfs(2), which tells of failed writes
// since Linux 5.8). They can be read by their owner and group (PCI DSS 10.3.1).
class DiskLogFiles final : public LogFiles {
 public:
  // Files that are not in `folder` are read in the folders `closed`, in their order: where those of
  // closed months were moved to (segments.h). Throws StartupError when a folder can't be opened.
  explicit DiskLogFiles(const std::string& folder, const std::vector<std::string>& closed = {});
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
  FolderList closed_;
  // Files to be synced; so many at most, and if there are more, all with their file system.
  std::vector<int> unsynced_;
  bool many_ = false;
  std::set<std::string> known_folders_;
  std::set<std::string> changed_folders_;  // to be synced
};

}  // namespace cardvault::audit
