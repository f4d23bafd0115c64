#include "protocol/gate/confinement.h"

#include <seccomp.h>

#include <cstdint>

#include "vault/base/log.h"
#include "vault/sandbox/file_access.h"
#include "vault/sandbox/process.h"
#include "vault/sandbox/system_calls.h"

namespace cardvault::gate {

void confine(const std::vector<std::string>& folders) {
  sandbox::FileAccess files;
  files.read = folders;
  for (const char* path : {"/etc/localtime", "/etc/ssl", "/proc/self"})
    files.read.emplace_back(path);
  if (sandbox::restrict_files(files) == 0 && sandbox::kConfined) {
    base::log(base::Level::kWarning, "this kernel has no Landlock: files are not restricted");
  }
  sandbox::SystemCalls calls;
  calls.allow_reading_files();
  calls.allow({SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(listen), SCMP_SYS(shutdown),
               SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
               SCMP_SYS(getsockname), SCMP_SYS(getpeername)});
  calls.allow_if(SCMP_SYS(sendto), 4, ~std::uint64_t{0}, 0);  // to no address
  calls.hold();
}

}  // namespace cardvault::gate
