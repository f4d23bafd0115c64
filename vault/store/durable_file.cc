#include "vault/store/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "vault/base/fd.h"

namespace cardvault::store {
namespace {

std::unexpected<base::Error> failure(const char* operation) {
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT;
  const base::Code code = full              ? base::Code::kStorageFull
                          : error == EEXIST ? base::Code::kAlreadyExists
                                            : base::Code::kStoreFailed;
  return base::fail(code, operation, error);
}

base::Fd open_file(const std::filesystem::path& path, int flags) {
  return base::Fd(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600));
}

base::Result<void> sync(const std::filesystem::path& path, int flags) {
  const base::Fd file = open_file(path, flags);
  if (!file) return failure("open for sync");
  if (fsync(file.get()) != 0) return failure("sync");
  return {};
}

}  // namespace

base::Result<void> create_exclusive(const std::filesystem::path& path) {
  const base::Fd file = open_file(path, O_RDWR | O_CREAT | O_EXCL);
  if (!file) return failure("create file");
  return {};
}

base::Result<void> sync_file(const std::filesystem::path& path) { return sync(path, O_RDWR); }

base::Result<void> sync_directory(const std::filesystem::path& dir) {
  return sync(dir, O_RDONLY | O_DIRECTORY);
}

base::Result<void> rewrite_and_sync(const std::filesystem::path& path) {
  const base::Fd file = open_file(path, O_RDWR);
  if (!file) {
    if (errno == ENOENT) return {};
    return failure("open to rewrite");
  }
  std::vector<char> block(std::size_t{1} << 20);
  off_t at = 0;
  while (true) {
    const ssize_t n = pread(file.get(), block.data(), block.size(), at);
    if (n < 0) return failure("read to rewrite");
    if (n == 0) break;
    const ssize_t written = pwrite(file.get(), block.data(), static_cast<std::size_t>(n), at);
    if (written <= 0) return failure("rewrite");
    at += written;
  }
  if (fsync(file.get()) != 0) return failure("sync rewritten");
  return {};
}

}  // namespace cardvault::store
