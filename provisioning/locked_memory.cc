#include "provisioning/locked_memory.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vault/sandbox/process.h"

namespace cardvault::provisioning {

void keep_memory(std::ostream& err) {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  if (sandbox::kConfined) ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  rlimit lock{};
  ::getrlimit(RLIMIT_MEMLOCK, &lock);
  // With a limit, locking what comes would make memory run out in the middle.
  const bool may = ::geteuid() == 0 || lock.rlim_cur == RLIM_INFINITY;
  if (!may || ::mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
    err << "cardvault: memory can't be locked (RLIMIT_MEMLOCK): turn swap off for the ceremony\n";
  }
}

}  // namespace cardvault::provisioning
