#include "vault/custody/medium.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace cardvault::custody {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;             // closed once
  Descriptor& operator=(const Descriptor&) = delete;  // closed once
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

int write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return ::fsync(fd) == 0 ? 0 : errno;
}

int sync_folder(const std::string& path) {
  const std::string folder = std::filesystem::absolute(path).parent_path();
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd.get() >= 0 && ::fsync(fd.get()) == 0 ? 0 : errno;
}

int read_back(const std::string& path, std::string_view content) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
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
    const Descriptor fd(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (fd.get() < 0) return errno;
    error = write_all(fd.get(), content);
  }
  if (error == 0) error = sync_folder(path);
  if (error == 0) error = read_back(path, content);
  if (error != 0) ::unlink(path.c_str());
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
