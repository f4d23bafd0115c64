#include "provisioning/papers_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>

#include "provisioning/exit_code.h"

namespace cardvault::provisioning {

PapersLock::PapersLock(const std::string& custody_folder) {
  if (!std::filesystem::exists(custody_folder)) return;
  folder_ = ::open(custody_folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_ >= 0 && ::flock(folder_, LOCK_EX | LOCK_NB) == 0) return;
  if (folder_ >= 0) ::close(folder_);
  throw ToolError(ExitCode::kLocal, "another command works with the papers in " + custody_folder +
                                        ", or they can't be read: wait for its end");
}

PapersLock::~PapersLock() {
  if (folder_ >= 0) ::close(folder_);
}

}  // namespace cardvault::provisioning
