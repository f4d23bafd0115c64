#include "vault/daemon/published_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "vault/audit/checkpoint.h"
#include "vault/audit/segments.h"
#include "vault/audit/tile.h"
#include "vault/base/log.h"
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

bool is_folder(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// How many events the log's checkpoint covers.
std::uint64_t size_of_log(const std::string& dir) {
  std::ifstream file(dir + "/" + std::string(audit::kCheckpointPath), std::ios::binary);
  const std::string note((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto checkpoint = audit::parse_checkpoint_text(note);
  return checkpoint ? checkpoint->size : 0;
}

// Is a file that no folder has one that the log has all the same? A partial one is not: it gives
// way to the full one.
bool must_be_somewhere(const std::string& dir, const std::vector<std::string>& closed,
                       const std::string& path) {
  if (const auto place = audit::parse_tile_path(path)) {
    return place->width == audit::kTileWidth &&
           place->index < audit::hashes_at(place->level, size_of_log(dir)) / audit::kTileWidth;
  }
  if (path == audit::kLatestManifest || path == audit::kCheckpointPath) return false;
  // Which months there are, only their own files tell; an empty folder is one that isn't mounted.
  return std::ranges::any_of(closed, [](const std::string& folder) {
    return !is_folder(folder + "/tile") && !is_folder(folder + "/segment");
  });
}

base::Result<core::AuditPiece> absent(const std::string& dir,
                                      const std::vector<std::string>& closed,
                                      const std::string& path, int error) {
  if ((error == ENOENT || error == ENOTDIR) && !must_be_somewhere(dir, closed, path)) {
    return fail(Code::kNotFound, "read log", error);
  }
  base::log(base::Level::kError,
            "a file of the published log can't be read: a folder of closed months is not mounted, "
            "is not named in [audit] closed, or was mounted after the daemon had started",
            {{"file", path}, {"error", std::strerror(error)}});
  return fail(Code::kStoreFailed, "read log", error);
}

}  // namespace

base::Result<core::AuditPiece> read_published_file(const std::string& dir,
                                                   const std::vector<std::string>& closed,
                                                   const core::AuditRead& request) {
  const std::string& path = request.path;
  if (!audit::is_log_path(path) && !audit::is_segment_path(path)) {
    return fail(Code::kPathNotFound, "read log");
  }
  std::vector<std::string> folders = {dir};
  // How long a log is, is never said by a folder with parts of it.
  if (path != audit::kCheckpointPath && path != audit::kLatestManifest) {
    folders.insert(folders.end(), closed.begin(), closed.end());
  }
  const Fd file = open_in(folders, path);
  if (!file) return absent(dir, closed, path, errno);
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
