#include "vault/sandbox/file_access.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "vault/base/result.h"
#include "vault/sandbox/process.h"

namespace cardvault::sandbox {
namespace {

// What Debian 12's header doesn't know yet (include/uapi/linux/landlock.h, versions 3 to 6).
constexpr std::uint64_t kTruncate = 1ULL << 14;
constexpr std::uint64_t kIoctlDevice = 1ULL << 15;
constexpr std::uint64_t kBindTcp = 1ULL << 0;
constexpr std::uint64_t kConnectTcp = 1ULL << 1;
constexpr std::uint64_t kScopes = 3;  // abstract Unix sockets, signals
constexpr int kRuleNetPort = 2;

struct Attributes {
  std::uint64_t files;
  std::uint64_t net;
  std::uint64_t scopes;
};

struct NetPort {
  std::uint64_t access;
  std::uint64_t port;
};

constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWrite = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                                 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
// What a file, such as /dev/null, can take.
constexpr std::uint64_t kOfFiles = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                   LANDLOCK_ACCESS_FS_EXECUTE | kTruncate | kIoctlDevice;

[[noreturn]] void refuse(const std::string& what) {
  throw base::StartupError(what + ": " + std::strerror(errno) +
                           "; under systemd, SystemCallFilter must allow the landlock_ calls");
}

int version() {
  const auto abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi >= 1) return static_cast<int>(abi);
  if (errno != ENOSYS && errno != EOPNOTSUPP) refuse("cannot ask for Landlock");
  return 0;
}

// Each version's attributes are longer; an older kernel refuses the longer ones.
std::size_t size_for(int abi) {
  if (abi < 4) return sizeof(Attributes::files);
  return abi < 6 ? sizeof(Attributes::files) + sizeof(Attributes::net) : sizeof(Attributes);
}

void allow(int ruleset, const std::string& path, std::uint64_t rights) {
  const int found = ::open(path.c_str(), O_PATH | O_CLOEXEC);
  if (found < 0) {
    if (errno == ENOENT) return;
    refuse("cannot open " + path);
  }
  struct stat info{};
  landlock_path_beneath_attr rule{};
  rule.allowed_access =
      ::fstat(found, &info) == 0 && S_ISDIR(info.st_mode) ? rights : rights & kOfFiles;
  rule.parent_fd = found;
  const auto rc = ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  ::close(found);
  if (rc != 0) refuse("cannot add a Landlock rule for " + path);
}

}  // namespace

int restrict_files(const FileAccess& access) {
  if (!kConfined) return 0;
  const int abi = version();
  if (abi == 0) return 0;
  std::uint64_t write = kWrite;
  if (abi >= 2) write |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) write |= kTruncate;
  const std::uint64_t handled =
      kRead | LANDLOCK_ACCESS_FS_EXECUTE | write | (abi >= 5 ? kIoctlDevice : 0);
  const Attributes attributes{handled, abi >= 4 ? kBindTcp | kConnectTcp : 0,
                              abi >= 6 ? kScopes : 0};
  const int ruleset =
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size_for(abi), 0));
  if (ruleset < 0) refuse("cannot make a Landlock ruleset");
  for (const auto& path : access.read) allow(ruleset, path, kRead);
  for (const auto& path : access.load) allow(ruleset, path, kRead | LANDLOCK_ACCESS_FS_EXECUTE);
  for (const auto& path : access.write) allow(ruleset, path, kRead | write);
  if (abi >= 4) {
    for (const auto port : access.connect_ports) {
      const NetPort rule{kConnectTcp, port};
      if (::syscall(SYS_landlock_add_rule, ruleset, kRuleNetPort, &rule, 0) != 0) {
        refuse("cannot add a Landlock rule for a port");
      }
    }
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
    refuse("cannot restrict this process by Landlock");
  }
  ::close(ruleset);
  return abi;
}

}  // namespace cardvault::sandbox
