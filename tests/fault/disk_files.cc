#include "tests/fault/disk_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <mutex>

namespace cardvault::fault {
namespace {

// Never destroyed: descriptors are closed until the very end.
std::map<int, std::string>& paths() {
  static auto* const all = new std::map<int, std::string>;
  return *all;
}
std::mutex& lock() {
  static auto* const mutex = new std::mutex;
  return *mutex;
}

Steering* map_steering() {
  const char* path = std::getenv("CARDVAULT_DISK_STEERING");
  if (path == nullptr) return nullptr;
  // Not by open(2), which asks for what is being made here.
  const int fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC));
  if (fd < 0) ::_exit(99);  // a test that steers nothing must not pass
  void* map = ::mmap(nullptr, sizeof(Steering), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return map == MAP_FAILED ? nullptr : static_cast<Steering*>(map);
}

}  // namespace

Steering* steering() {
  static Steering* const mapped = map_steering();
  return mapped;
}

std::string absolute(int folder, const char* path) {
  if (path[0] == '/') return path;
  if (folder == AT_FDCWD) return "";  // the vault opens nothing by where it happens to be
  const std::string base = path_of(folder);
  if (base.empty()) return "";
  return std::string_view(path) == "." ? base : base + "/" + path;
}

Kind kind_of(const std::string& path) {
  const Steering* const seen = steering();
  if (seen == nullptr || path.empty() || seen->data[0] == '\0') return Kind::kNone;
  const std::string data = seen->data, audit = seen->audit;
  if (path == data) return Kind::kData;
  if (path.starts_with(data + "/")) {
    const std::string name = path.substr(data.size() + 1);
    if (name == "vault.db") return Kind::kVaultDb;
    if (name == "vault.db-wal") return Kind::kVaultWal;
    if (name == "reveal.db") return Kind::kRevealDb;
    if (name == "reveal.db-wal") return Kind::kRevealWal;
    return name.ends_with("-shm") ? Kind::kNone : Kind::kData;  // memory, not a file to keep
  }
  if (path == audit) return Kind::kLogFolder;
  if (!path.starts_with(audit + "/")) return Kind::kNone;
  const std::string name = path.substr(audit.size() + 1);
  if (name.starts_with("checkpoint")) return Kind::kCheckpoint;
  const auto last = name.rfind('/');
  const std::string leaf = last == std::string::npos ? name : name.substr(last + 1);
  const bool folder = leaf.ends_with(".p") || leaf.starts_with("x") || name == "tile" ||
                      name == "tile/entries" || name.find('/') == name.rfind('/');
  return folder ? Kind::kLogFolder : Kind::kTile;
}

void remember(int fd, const std::string& path) {
  const std::lock_guard held(lock());
  paths()[fd] = path;
}

void forget(int fd) {
  const std::lock_guard held(lock());
  paths().erase(fd);
}

std::string path_of(int fd) {
  const std::lock_guard held(lock());
  const auto found = paths().find(fd);
  return found == paths().end() ? std::string() : found->second;
}

}  // namespace cardvault::fault
