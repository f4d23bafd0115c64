#include "vault/base/fd.h"

#include <fcntl.h>

#include <cerrno>

namespace cardvault::base {

int write_all(int fd, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return EIO;  // POSIX leaves open what that would mean
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

void fill_standard_descriptors() noexcept {
  int fd = 0;
  while ((fd = ::open("/dev/null", O_RDONLY)) >= 0 && fd <= STDERR_FILENO) {  // the lowest free
  }
  if (fd >= 0) ::close(fd);
}

}  // namespace cardvault::base
