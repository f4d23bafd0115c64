#include "provisioning/writable_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace cardvault::provisioning {

WritableFolder::WritableFolder(const std::string& folder) {
  if (folder.empty() || ::geteuid() == 0) return;
  add(folder);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file()) add(entry.path());
  }
}

WritableFolder::~WritableFolder() {
  for (const auto& [path, mode] : modes_) ::chmod(path.c_str(), mode);
}

void WritableFolder::add(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return;
  const mode_t mode = status.st_mode & 07777U;
  if (::chmod(path.c_str(), mode | S_IWUSR) == 0) modes_.emplace_back(path, mode);
}

}  // namespace cardvault::provisioning
