// Loaded before libc into a real daemon (LD_PRELOAD): counts its calls on the vault's files, lets
// one of them fail or hang when told to, and can write down all of them, so that a test can make
// the disk of a machine that lost its power. Steered by disk_steering.h.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "tests/fault/disk_files.h"

using namespace cardvault::fault;

namespace {

int journal = -1;
std::mutex& order() {
  static auto* const mutex = new std::mutex;
  return *mutex;
}

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// Before the program confines itself.
__attribute__((constructor)) void open_journal() {
  if (steering() == nullptr) return;
  const std::string path = std::string(std::getenv("CARDVAULT_DISK_STEERING")) + ".journal";
  journal = real<int(const char*, int, ...)>("open")(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  ::unsetenv("LD_PRELOAD");
}

// 0: the call goes on; else its errno.
int befall(Kind kind, Call call) {
  Steering* const told = steering();
  if (told == nullptr || kind == Kind::kNone) return 0;
  ++told->counts[static_cast<std::size_t>(kind)][static_cast<std::size_t>(call)];
  if (told->at == 0 || told->kind != static_cast<std::uint32_t>(kind) ||
      told->call != static_cast<std::uint32_t>(call)) {
    return 0;
  }
  if (told->at.fetch_sub(1) != 1) return 0;
  ++told->fired;
  if (told->error != 0) return static_cast<int>(told->error.load());
  ::usleep(told->hang_ms * 1000);
  return 0;
}

void append(Call call, const std::string& path, const void* data, std::size_t size,
            std::uint64_t offset, std::uint32_t begun) {
  const JournalRecord record{static_cast<std::uint32_t>(call),
                             static_cast<std::uint32_t>(path.size()),
                             static_cast<std::uint32_t>(size), begun, offset};
  const iovec parts[] = {{const_cast<JournalRecord*>(&record), sizeof record},
                         {const_cast<char*>(path.data()), path.size()},
                         {const_cast<void*>(data), size}};
  if (::writev(journal, parts, 3) != static_cast<ssize_t>(sizeof record + path.size() + size)) {
    ::_exit(98);  // a journal with a hole proves nothing
  }
  ++steering()->records;
}

// Runs a call and, where it succeeded, writes it down; both in one, so that the journal has the
// order of the disk.
template <class Work>
auto done(Kind kind, Call call, const std::string& path, Work work, const void* data = nullptr,
          std::uint64_t offset = 0) {
  if (const int error = befall(kind, call); error != 0) {
    errno = error;
    return static_cast<decltype(work())>(-1);
  }
  if (kind == Kind::kNone || steering()->record == 0) return work();
  std::unique_lock held(order(), std::defer_lock);
  const std::uint32_t begun = steering()->records;
  if (call != Call::kSync) held.lock();  // others write while one syncs
  const auto result = work();
  const int error = errno;
  if (result >= 0) {
    if (!held.owns_lock()) held.lock();
    append(call, path, data, call == Call::kWrite ? static_cast<std::size_t>(result) : 0, offset,
           begun);
  }
  errno = error;
  return result;
}

int open_one(int folder, const char* path, int flags, mode_t mode) {
  static auto* const next = real<int(int, const char*, int, ...)>("openat");
  const std::string name = absolute(folder, path);
  const Kind kind = kind_of(name);
  if (kind == Kind::kNone) return next(folder, path, flags, mode);
  struct stat status{};
  const bool made = (flags & O_CREAT) != 0 && ::lstat(name.c_str(), &status) != 0;
  const bool emptied = !made && (flags & O_TRUNC) != 0;
  const int fd = done(
      kind, Call::kOpen, name, [&] { return next(folder, path, flags, mode); }, nullptr,
      made      ? 1
      : emptied ? 2
                : 0);
  if (fd >= 0) remember(fd, name);
  return fd;
}

template <class Next>
int sync_one(int fd, Next next) {
  const std::string path = path_of(fd);
  return done(kind_of(path), Call::kSync, path, [&] { return next(fd); });
}

int truncate_one(int fd, off_t size) {
  static auto* const next = real<int(int, off_t)>("ftruncate");
  const std::string path = path_of(fd);
  return done(
      kind_of(path), Call::kTruncate, path, [&] { return next(fd, size); }, nullptr,
      static_cast<std::uint64_t>(size));
}

ssize_t write_at(int fd, const void* data, std::size_t size, off_t offset) {
  static auto* const next = real<ssize_t(int, const void*, std::size_t, off_t)>("pwrite");
  const std::string path = path_of(fd);
  return done(
      kind_of(path), Call::kWrite, path, [&] { return next(fd, data, size, offset); }, data,
      static_cast<std::uint64_t>(offset));
}

int unlink_one(int folder, const char* path, int flags) {
  static auto* const next = real<int(int, const char*, int)>("unlinkat");
  const std::string name = absolute(folder, path);
  return done(kind_of(name), Call::kUnlink, name, [&] { return next(folder, path, flags); });
}

int rename_one(int from_folder, const char* from, int to_folder, const char* to) {
  static auto* const next = real<int(int, const char*, int, const char*)>("renameat");
  const std::string name = absolute(from_folder, from);
  return done(kind_of(name), Call::kRename, name + "\n" + absolute(to_folder, to),
              [&] { return next(from_folder, from, to_folder, to); });
}

int make_folder(int folder, const char* path, mode_t mode) {
  static auto* const next = real<int(int, const char*, mode_t)>("mkdirat");
  const std::string name = absolute(folder, path);
  return done(kind_of(name), Call::kMakeFolder, name, [&] { return next(folder, path, mode); });
}

mode_t mode_of(int flags, va_list rest) {
  return (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
}

}  // namespace

#define MODE(flags)                         \
  va_list rest;                             \
  va_start(rest, flags);                    \
  const mode_t mode = mode_of(flags, rest); \
  va_end(rest)

extern "C" {
int open(const char* path, int flags, ...) {
  MODE(flags);
  return open_one(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  MODE(flags);
  return open_one(AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  MODE(flags);
  return open_one(folder, path, flags, mode);
}
int openat64(int folder, const char* path, int flags, ...) {
  MODE(flags);
  return open_one(folder, path, flags, mode);
}
int close(int fd) {
  static auto* const next = real<int(int)>("close");
  forget(fd);
  return next(fd);
}
ssize_t write(int fd, const void* data, size_t size) {
  static auto* const next = real<ssize_t(int, const void*, size_t)>("write");
  const std::string path = path_of(fd);
  const Kind kind = kind_of(path);
  if (kind == Kind::kNone) return next(fd, data, size);
  const auto offset = static_cast<std::uint64_t>(::lseek(fd, 0, SEEK_CUR));
  return done(kind, Call::kWrite, path, [&] { return next(fd, data, size); }, data, offset);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  return write_at(fd, data, size, offset);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  return write_at(fd, data, size, offset);
}
int fsync(int fd) { return sync_one(fd, real<int(int)>("fsync")); }
int fdatasync(int fd) { return sync_one(fd, real<int(int)>("fdatasync")); }
int syncfs(int fd) {
  return done(kind_of(path_of(fd)), Call::kSync, "", [&] { return real<int(int)>("syncfs")(fd); });
}
int ftruncate(int fd, off_t size) noexcept { return truncate_one(fd, size); }
int ftruncate64(int fd, off64_t size) noexcept { return truncate_one(fd, size); }
int unlink(const char* path) noexcept { return unlink_one(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char* path, int flags) noexcept {
  return unlink_one(folder, path, flags);
}
int rename(const char* from, const char* to) noexcept {
  return rename_one(AT_FDCWD, from, AT_FDCWD, to);
}
int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  return rename_one(from_folder, from, to_folder, to);
}
int mkdir(const char* path, mode_t mode) noexcept { return make_folder(AT_FDCWD, path, mode); }
int mkdirat(int folder, const char* path, mode_t mode) noexcept {
  return make_folder(folder, path, mode);
}
int fchmod(int fd, mode_t mode) noexcept {
  const std::string path = path_of(fd);
  return done(kind_of(path), Call::kChangeMode, path,
              [&] { return real<int(int, mode_t)>("fchmod")(fd, mode); });
}
int fchmodat(int folder, const char* path, mode_t mode, int flags) noexcept {
  const std::string name = absolute(folder, path);
  return done(kind_of(name), Call::kChangeMode, name, [&] {
    return real<int(int, const char*, mode_t, int)>("fchmodat")(folder, path, mode, flags);
  });
}
}
