#include "vault/store/vault_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "vault/base/result.h"

namespace cardvault::store {
namespace {

std::string holder(int fd) {
  std::array<char, 32> text{};
  const ssize_t n = pread(fd, text.data(), text.size(), 0);
  std::string pid(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  return pid.substr(0, pid.find_first_not_of("0123456789"));
}

}  // namespace

VaultLock::VaultLock(const std::filesystem::path& dir) {
  const std::string path = dir / "vault.lock";
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0) {
    throw base::StartupError("can't open " + path + " (" + std::strerror(errno) +
                             "): the directory must exist and belong to the vault's user");
  }
  if (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    const std::string pid = holder(fd_);
    close(fd_);
    throw base::StartupError("process " + (pid.empty() ? "(unknown)" : pid) +
                             " already has the vault in " + dir.string() +
                             ": stop it first, or let the tool talk to it over the admin socket");
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  // The lock is what counts; the number only helps whoever is refused.
  if (ftruncate(fd_, 0) != 0 || pwrite(fd_, pid.data(), pid.size(), 0) < 0) {
    const int error = errno;
    close(fd_);
    throw base::StartupError("can't write " + path + " (" + std::strerror(error) +
                             "): free some space, then start again");
  }
}

VaultLock::~VaultLock() { close(fd_); }

}  // namespace cardvault::store
