#include "vault/daemon/public_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "vault/base/fd.h"
#include "vault/daemon/unix_socket.h"
#include "vault/store/durable_file.h"

namespace cardvault::daemon {
namespace {

std::unexpected<base::Error> failure(const char* operation) {
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT;
  return base::fail(full ? base::Code::kStorageFull : base::Code::kStoreFailed, operation, error);
}

}  // namespace

base::Result<void> write_public_file(const std::string& path, std::string_view text) {
  const std::string next = path + ".new";
  ::unlink(next.c_str());  // of a try that was broken off
  const Fd file(::open(next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return failure("create public file");
  errno = base::write_all(file.get(), text);
  if (errno != 0) return failure("write public file");
  if (::fchmod(file.get(), 0644) != 0 || ::fsync(file.get()) != 0 ||
      std::rename(next.c_str(), path.c_str()) != 0) {
    return failure("put public file in place");
  }
  return store::sync_directory(std::filesystem::path(path).parent_path());
}

}  // namespace cardvault::daemon
