#include "vault/daemon/published_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "vault/audit/tile.h"
#include "vault/daemon/unix_socket.h"

namespace cardvault::daemon {

using base::Code;
using base::fail;

namespace {

// Of the first folder that has it; without a descriptor, errno says why.
Fd open_in(const std::vector<std::string>& folders, const std::string& path) {
  Fd file;
  for (const std::string& folder : folders) {
    file = Fd(::open((folder + "/" + path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file || (errno != ENOENT && errno != ENOTDIR)) break;
  }
  return file;
}

}  // namespace

base::Result<core::AuditPiece> read_published_file(const std::string& dir,
                                                   const std::vector<std::string>& closed,
                                                   const core::AuditRead& request) {
  if (!audit::is_log_path(request.path)) return fail(Code::kPathNotFound, "read log");
  std::vector<std::string> folders = {dir};
  // How long a log is, is never said by a folder with parts of it.
  if (request.path != audit::kCheckpointPath) {
    folders.insert(folders.end(), closed.begin(), closed.end());
  }
  const Fd file = open_in(folders, request.path);
  if (!file) {
    const bool absent = errno == ENOENT || errno == ENOTDIR;
    return fail(absent ? Code::kNotFound : Code::kStoreFailed, "read log", errno);
  }
  struct stat status{};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(Code::kStoreFailed, "read log", errno);
  }
  core::AuditPiece piece;
  piece.size = static_cast<std::uint64_t>(status.st_size);
  if (request.offset > piece.size) return fail(Code::kInvalidArgument, "read log");
  piece.bytes.resize(std::min<std::uint64_t>(core::kMaxAuditPiece, piece.size - request.offset));
  std::size_t had = 0;
  while (had < piece.bytes.size()) {
    const ssize_t n = ::pread(file.get(), piece.bytes.data() + had, piece.bytes.size() - had,
                              static_cast<off_t>(request.offset + had));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(Code::kStoreFailed, "read log", n < 0 ? errno : 0);
    had += static_cast<std::size_t>(n);
  }
  return piece;
}

}  // namespace cardvault::daemon
