#include "vault/sandbox/locked_memory.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vault/base/log.h"
#include "vault/sandbox/process.h"

namespace cardvault::sandbox {
namespace {

bool may_lock_without_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_max == RLIM_INFINITY) {
    limit.rlim_cur = limit.rlim_max;
    return ::setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  return ::syscall(SYS_capget, &header, data) == 0 &&
         (data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

}  // namespace

void lock_memory() {
  if (!kConfined) return;
  if (may_lock_without_limit() && ::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0) return;
  base::log(base::Level::kWarning,
            "memory is not locked (RLIMIT_MEMLOCK): set LimitMEMLOCK=infinity, or turn swap off");
}

}  // namespace cardvault::sandbox
