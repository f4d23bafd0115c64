#include "vault/audit/disk_log_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "vault/audit/tile.h"
#include "vault/base/fd.h"

namespace cardvault::audit {
namespace {

// Of files and folders: more are synced with their whole file system.
constexpr std::size_t kFewSyncs = 4;
// No file of a log is larger than a bundle of the longest entries; more is looked at only to see
// that there is more.
constexpr std::size_t kMostBytes = kTileWidth * (2 + kMaxEntryBytes) + 4096;
constexpr mode_t kFileMode = 0640;
constexpr mode_t kFolderMode = 0750;
constexpr const char* kSuffix = ".new";
constexpr std::string_view kTiles = "tile/";

std::unexpected<base::Error> failure(const char* operation) {
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT;
  return base::fail(full ? base::Code::kStorageFull : base::Code::kStoreFailed, operation, error);
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

base::Result<void> sync_folder(int root, const std::string& path) {
  const int fd = ::openat(root, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return failure("open log folder");
  const int done = ::fsync(fd);
  base::Result<void> result;
  if (done != 0) result = failure("sync log folder");
  ::close(fd);
  return result;
}

base::Result<std::optional<std::string>> read_to_end(int fd, std::size_t size) {
  std::string bytes(std::min(size, kMostBytes), '\0');
  std::size_t had = 0;
  while (had < bytes.size()) {
    const ssize_t n = ::read(fd, bytes.data() + had, bytes.size() - had);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure("read log file");
    if (n == 0) break;
    had += static_cast<std::size_t>(n);
  }
  bytes.resize(had);
  return bytes;
}

}  // namespace

base::Result<std::optional<std::string>> read_whole(int root, const std::string& path) {
  // Not to wait for whoever might write into a pipe that somebody put there.
  const int fd = ::openat(root, path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    return failure("open log file");
  }
  base::Result<std::optional<std::string>> result;
  struct stat status{};
  if (::fstat(fd, &status) != 0) {
    result = failure("open log file");
  } else if (!S_ISREG(status.st_mode)) {
    result = base::fail(base::Code::kStoreFailed, "read log file", EISDIR);
  } else {
    result = read_to_end(fd, static_cast<std::size_t>(status.st_size));
  }
  ::close(fd);
  return result;
}

FolderList::FolderList(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
      const std::string why = std::strerror(errno);
      for (const int opened : roots_) ::close(opened);
      throw base::StartupError(folder + ": " + why + ": is it mounted?");
    }
    roots_.push_back(fd);
  }
}

FolderList::~FolderList() {
  for (const int fd : roots_) ::close(fd);
}

base::Result<std::optional<std::string>> FolderList::read_tile(const std::string& path) const {
  if (!path.starts_with(kTiles)) return std::nullopt;
  return read(path);
}

base::Result<std::optional<std::string>> FolderList::read(const std::string& path) const {
  const std::size_t last = last_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < roots_.size(); ++i) {
    const std::size_t at = (last + i) % roots_.size();
    auto found = read_whole(roots_[at], path);
    if (!found || *found) {
      last_.store(at, std::memory_order_relaxed);
      return found;
    }
  }
  return std::nullopt;
}

DiskLogFiles::DiskLogFiles(const std::string& folder, const std::vector<std::string>& closed)
    : root_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), closed_(closed) {
  if (root_ < 0) {
    throw base::StartupError(
        "the published log's folder " + folder + ": " + std::strerror(errno) +
        ". Make it, owned by the vault's user, or name another in [audit] dir");
  }
}

DiskLogFiles::~DiskLogFiles() {
  close_files();
  ::close(root_);
}

void DiskLogFiles::close_files() {
  for (const int fd : unsynced_) ::close(fd);
  unsynced_.clear();
}

base::Result<std::optional<std::string>> DiskLogFiles::read(const std::string& path) {
  auto found = read_whole(root_, path);
  return found && !*found ? closed_.read_tile(path) : std::move(found);
}

base::Result<void> DiskLogFiles::make_folders(const std::string& path) {
  const std::string folder = folder_of(path);
  if (folder == "." || known_folders_.contains(folder)) return {};
  if (auto parents = make_folders(folder); !parents) return parents;
  if (::mkdirat(root_, folder.c_str(), kFolderMode) == 0) {
    // The process's mask is closed to all others; the group may read the log.
    if (::fchmodat(root_, folder.c_str(), kFolderMode, 0) != 0) return failure("open log folder");
    changed_folders_.insert(folder_of(folder));
  } else if (errno != EEXIST) {
    return failure("make log folder");
  }
  known_folders_.insert(folder);
  return {};
}

base::Result<int> DiskLogFiles::write_file(const std::string& path, std::string_view bytes) {
  auto done = make_folders(path);
  int fd = -1;
  if (done) {
    fd = ::openat(root_, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                  kFileMode);
    if (fd < 0) done = failure("create log file");
  }
  if (done && ::fchmod(fd, kFileMode) != 0) done = failure("open log file");
  if (done && (errno = base::write_all(fd, bytes)) != 0) done = failure("write log file");
  if (done) return fd;
  if (fd >= 0) {
    ::close(fd);
    ::unlinkat(root_, path.c_str(), 0);  // on a full disk its bytes are wanted elsewhere
  }
  known_folders_.clear();  // someone may have removed them: that is a failure that heals
  return std::unexpected(done.error());
}

base::Result<void> DiskLogFiles::put(const std::string& path, std::string_view bytes) {
  const auto fd = write_file(path, bytes);
  if (!fd) return std::unexpected(fd.error());
  changed_folders_.insert(folder_of(path));
  unsynced_.push_back(*fd);
  if (unsynced_.size() + changed_folders_.size() > kFewSyncs) {
    many_ = true;
    close_files();
  }
  return {};
}

base::Result<void> DiskLogFiles::sync() {
  base::Result<void> done;
  if (many_) {
    if (::syncfs(root_) != 0) done = failure("sync log files");
  } else {
    done = sync_each();
  }
  close_files();
  changed_folders_.clear();
  many_ = !done;  // what a failed sync leaves behind, the next one takes along
  return done;
}

base::Result<void> DiskLogFiles::sync_each() {
  for (const int fd : unsynced_) {
    if (::fsync(fd) != 0) return failure("sync log file");
  }
  for (const std::string& folder : changed_folders_) {
    if (auto synced = sync_folder(root_, folder); !synced) return synced;
  }
  return {};
}

base::Result<void> DiskLogFiles::replace(const std::string& path, std::string_view bytes) {
  const std::string written = path + kSuffix;
  const auto fd = write_file(written, bytes);
  if (!fd) return std::unexpected(fd.error());
  base::Result<void> done;
  if (::fsync(*fd) != 0) done = failure("sync log file");
  ::close(*fd);
  if (done && ::renameat(root_, written.c_str(), root_, path.c_str()) != 0) {
    done = failure("move log file");
  }
  if (!done) {
    ::unlinkat(root_, written.c_str(), 0);
    return done;
  }
  return sync_folder(root_, folder_of(path));
}

base::Result<void> DiskLogFiles::remove_folder(const std::string& path) {
  const int fd = ::openat(root_, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    if (errno == ENOENT) return {};
    return failure("open log folder");
  }
  DIR* folder = ::fdopendir(fd);
  if (folder == nullptr) {
    ::close(fd);
    return failure("read log folder");
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(folder)) names.emplace_back(entry->d_name);
  for (const std::string& name : names) {
    if (name != "." && name != "..") ::unlinkat(fd, name.c_str(), 0);
  }
  ::closedir(folder);
  known_folders_.erase(path);
  changed_folders_.erase(path);
  if (::unlinkat(root_, path.c_str(), AT_REMOVEDIR) != 0) return failure("remove log folder");
  return {};
}

}  // namespace cardvault::audit
