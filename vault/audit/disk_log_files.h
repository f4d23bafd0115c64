// A published log's folder on a disk.
#pragma once

#include <set>
#include <vector>

#include "vault/audit/log_files.h"

namespace cardvault::audit {

// Files are written beside their place, synced, moved there, and their folders synced. They can be
// read by their owner and group (PCI DSS 10.3.1).
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
  [[nodiscard]] base::Result<void> remove_folder(const std::string& path) override;

 private:
  struct Staged {
    std::string path;
    int fd;
  };
  [[nodiscard]] base::Result<void> make_folders(const std::string& path);
  [[nodiscard]] base::Result<void> settle();  // staged files: synced and moved to their places
  void drop_staged();

  int root_;
  std::vector<Staged> staged_;
  std::set<std::string> known_folders_;
  std::set<std::string> changed_folders_;  // to be synced
};

// All of a file below the folder open as `root`, or, where it is larger than any file of a log, its
// beginning; nullopt: there is none. kStoreFailed, for what is no file too.
[[nodiscard]] base::Result<std::optional<std::string>> read_whole(int root,
                                                                  const std::string& path);

}  // namespace cardvault::audit
