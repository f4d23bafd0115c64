#include "vault/daemon/hardening.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "vault/base/result.h"
#include "vault/daemon/unix_socket.h"

namespace cardvault::daemon {
namespace {

using base::StartupError;

[[noreturn]] void refuse(const char* what) {
  throw StartupError(std::string(what) + ": " + std::strerror(errno));
}

// Every right to change something that a file system has, of Landlock's first version.
constexpr std::uint64_t kWriteRights =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_SYM;

}  // namespace

void harden_process() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) refuse("cannot forbid core files");
  if (::prctl(PR_SET_DUMPABLE, 0) != 0) refuse("cannot forbid dumps");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) refuse("cannot give up privileges");
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  ::umask(0077);
}

bool restrict_writes(const std::vector<std::string>& writable) {
  const auto abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return false;
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = kWriteRights;
  const Fd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0)));
  if (!ruleset) refuse("cannot make a Landlock ruleset");
  for (const std::string& path : writable) {
    const Fd directory(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!directory) throw StartupError(path + ": " + std::strerror(errno));
    landlock_path_beneath_attr rule{};
    struct stat info{};
    ::fstat(directory.get(), &info);
    // A file, such as /dev/null, takes no rights that only a directory has.
    rule.allowed_access =
        S_ISDIR(info.st_mode) ? kWriteRights : std::uint64_t{LANDLOCK_ACCESS_FS_WRITE_FILE};
    rule.parent_fd = directory.get();
    if (::syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) !=
        0) {
      refuse("cannot add a Landlock rule");
    }
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    refuse("cannot restrict this process by Landlock");
  }
  return true;
}

}  // namespace cardvault::daemon
