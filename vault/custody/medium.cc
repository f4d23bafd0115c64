#include "vault/custody/medium.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "vault/base/fd.h"

namespace cardvault::custody {
namespace {

int write_durably(int fd, std::string_view content) {
  const int error = base::write_all(fd, content);
  return error == 0 && ::fsync(fd) != 0 ? errno : error;
}

int sync_folder(const std::string& path) {
  const std::string folder = std::filesystem::absolute(path).parent_path();
  const base::Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd.get() >= 0 && ::fsync(fd.get()) == 0 ? 0 : errno;
}

// Waits for whoever appends now: cut off is what one has written itself, and no other's line.
int lock_alone(int fd) {
  int done = 0;
  do {
    done = ::flock(fd, LOCK_EX);
  } while (done != 0 && errno == EINTR);
  return done == 0 ? 0 : errno;
}

int read_back(const std::string& path, std::string_view content) {
  const base::Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (fd.get() < 0) return errno;
  // From the device, not from the page cache: what was synced may leave it.
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  std::string found(content.size() + 1, '\0');
  std::size_t size = 0;
  ssize_t n = 0;
  while (size < found.size() &&
         (n = ::read(fd.get(), found.data() + size, found.size() - size)) > 0) {
    size += static_cast<std::size_t>(n);
  }
  if (n < 0) return errno;
  return std::string_view(found).substr(0, size) == content ? 0 : EBADMSG;
}

}  // namespace

int write_new_file(const std::string& path, std::string_view content) {
  int error = 0;
  {
    const base::Fd fd(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (fd.get() < 0) return errno;
    error = write_durably(fd.get(), content);
  }
  if (error == 0) error = sync_folder(path);
  if (error == 0) error = read_back(path, content);
  if (error != 0) ::unlink(path.c_str());
  return error;
}

int append_line(const std::string& path, std::string_view line) {
  const base::Fd fd(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!fd || lock_alone(fd.get()) != 0) return errno;
  const off_t size = ::lseek(fd.get(), 0, SEEK_END);
  if (size < 0) return errno;
  // The daemon reads it under its own account, whatever this one's mask is.
  if (size == 0) static_cast<void>(!::fchmod(fd.get(), 0644));
  char last = '\n';
  if (size > 0 && ::pread(fd.get(), &last, 1, size - 1) != 1) return errno;
  const std::string text = (last == '\n' ? "" : "\n") + std::string(line) + "\n";
  const int error = write_durably(fd.get(), text);
  if (error != 0) static_cast<void>(!::ftruncate(fd.get(), size));
  return error;
}

std::string explain_write(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "it is full: nothing was left on it";
    case ENOENT:
    case ENOTDIR:
      return "there is no such folder: is the medium in, and mounted?";
    case EEXIST:
      return "a file of this name is there already, and it is never overwritten";
    case EROFS:
      return "it can only be read: is its write protection on?";
    case EIO:
    case ENODEV:
    case ENXIO:
      return "the device answers no more: was it pulled out?";
    case EBADMSG:
      return "what was read back is not what was written: don't trust this medium";
    default:
      return std::generic_category().message(error);
  }
}

bool same_device(const std::string& one, const std::string& other) {
  struct stat first{};
  struct stat second{};
  return ::stat(one.c_str(), &first) == 0 && ::stat(other.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev;
}

}  // namespace cardvault::custody
