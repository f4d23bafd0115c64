// The folder of a module that keeps its token in files which are read-only between changes.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace cardvault::provisioning {

// While it lives, the folder and the files in it may be written by their owner. NSS's are read-only
// for their owner as well; root needs no right. "" is no folder.
class WritableFolder {
 public:
  explicit WritableFolder(const std::string& folder);
  ~WritableFolder();
  WritableFolder(const WritableFolder&) = delete;             // puts back once
  WritableFolder& operator=(const WritableFolder&) = delete;  // puts back once

 private:
  void add(const std::string& path);
  std::vector<std::pair<std::string, mode_t>> modes_;
};

}  // namespace cardvault::provisioning
