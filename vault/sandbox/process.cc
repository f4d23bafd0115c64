#include "vault/sandbox/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "vault/base/result.h"

namespace cardvault::sandbox {
namespace {

[[noreturn]] void refuse(const char* what) {
  throw base::StartupError(std::string(what) + ": " + std::strerror(errno) +
                           "; this program does not run without that protection");
}

}  // namespace

void harden_process() {
  if (kConfined && ::prctl(PR_SET_DUMPABLE, 0) != 0) refuse("cannot forbid dumps");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) refuse("cannot give up new privileges");
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) refuse("cannot forbid core files");
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) refuse("cannot read the limit of descriptors");
  files.rlim_cur = files.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) refuse("cannot raise the limit of descriptors");
  ::umask(0077);
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace cardvault::sandbox
