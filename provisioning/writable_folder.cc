#include "provisioning/writable_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "provisioning/exit_code.h"

namespace cardvault::provisioning {

namespace fs = std::filesystem;

WritableFolder::WritableFolder(const std::string& folder) {
  if (folder.empty()) return;
  std::vector<std::string> paths = {folder};
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (fs::is_regular_file(at->path())) paths.push_back(at->path());
  }
  if (error) throw ToolError(ExitCode::kLocal, folder + ": " + error.message());
  if (::geteuid() != 0) {
    for (const std::string& path : paths) open(path);
  }
  for (const std::string& path : paths) {
    if (::access(path.c_str(), W_OK) == 0) continue;
    const std::string why = std::strerror(errno);
    put_back();
    throw ToolError(ExitCode::kLocal, path + " can't be written (" + why +
                                          "): run this as root, or as the account that owns the "
                                          "token's folder");
  }
}

WritableFolder::~WritableFolder() { put_back(); }

void WritableFolder::open(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return;
  const mode_t mode = status.st_mode & 07777U;
  if (::chmod(path.c_str(), mode | S_IWUSR) != 0) return;
  // A command that was killed has left the files open: it is no mode to put back.
  modes_.emplace_back(path, S_ISREG(status.st_mode) ? mode & ~mode_t{S_IWUSR} : mode);
}

void WritableFolder::put_back() {
  for (const auto& [path, mode] : modes_) ::chmod(path.c_str(), mode);
}

}  // namespace cardvault::provisioning
