// The folder of a module that keeps its token in files which are read-only between changes.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace cardvault::provisioning {

// While it lives, the folder and the files in it may be written by their owner; afterwards the
// files are read-only for their owner as well, as NSS's are between changes. Root needs no right.
// "" is no folder.
class WritableFolder {
 public:
  // Throws ToolError(kLocal) where this account can't write all of it; nothing is changed then.
  explicit WritableFolder(const std::string& folder);
  ~WritableFolder();
  WritableFolder(const WritableFolder&) = delete;             // puts back once
  WritableFolder& operator=(const WritableFolder&) = delete;  // puts back once

 private:
  void open(const std::string& path);
  void put_back();
  std::vector<std::pair<std::string, mode_t>> modes_;
};

}  // namespace cardvault::provisioning
