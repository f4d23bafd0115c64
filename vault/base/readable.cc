#include "vault/base/readable.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "vault/base/result.h"

namespace cardvault::base {

void demand_readable(const std::string& path, const std::string& advice) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (file) static_cast<void>(file.peek());  // a folder opens, and can't be read
  const int problem = errno;
  if (!file.is_open() || (!file && !file.eof())) {
    throw StartupError("can't read " + path + ": " + std::strerror(problem != 0 ? problem : EIO) +
                       ": " + advice);
  }
}

}  // namespace cardvault::base
