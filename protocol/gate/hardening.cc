#include "protocol/gate/hardening.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <string>

#include "vault/base/result.h"

namespace cardvault::gate {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

[[noreturn]] void refuse(const char* what, int error) {
  throw base::StartupError(std::string(what) + ": " + std::strerror(error) +
                           "; the gate does not run without this protection");
}

void kill_on(scmp_filter_ctx filter, int call) {
  const int rc = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, call, 0);
  if (rc != 0 && rc != -EDOM) refuse("seccomp_rule_add", -rc);
}

void kill_on(scmp_filter_ctx filter, int call, scmp_arg_cmp argument) {
  const int rc = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, call, 1, argument);
  if (rc != 0 && rc != -EDOM) refuse("seccomp_rule_add", -rc);
}

void kill_on_writing_open(scmp_filter_ctx filter, int call, unsigned flags_at) {
  for (const scmp_datum_t flag : {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC}) {
    kill_on(filter, call, {flags_at, SCMP_CMP_MASKED_EQ, flag, flag});
  }
}

}  // namespace

void harden_process() {
  if (!kSanitized && ::prctl(PR_SET_DUMPABLE, 0) != 0) refuse("PR_SET_DUMPABLE", errno);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) refuse("PR_SET_NO_NEW_PRIVS", errno);
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) refuse("RLIMIT_CORE", errno);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) refuse("RLIMIT_NOFILE", errno);
  files.rlim_cur = files.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) refuse("RLIMIT_NOFILE", errno);
  std::signal(SIGPIPE, SIG_IGN);
}

void forbid_system_calls() {
  if (kSanitized) return;
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_ALLOW),
                                                                 &seccomp_release);
  if (filter == nullptr) refuse("seccomp_init", ENOMEM);
  for (const int call : {SCMP_SYS(socket),
                         SCMP_SYS(socketpair),
                         SCMP_SYS(connect),
                         SCMP_SYS(bind),
                         SCMP_SYS(sendmsg),
                         SCMP_SYS(sendmmsg),
                         SCMP_SYS(execve),
                         SCMP_SYS(execveat),
                         SCMP_SYS(fork),
                         SCMP_SYS(vfork),
                         SCMP_SYS(ptrace),
                         SCMP_SYS(process_vm_readv),
                         SCMP_SYS(process_vm_writev),
                         SCMP_SYS(pidfd_getfd),
                         SCMP_SYS(io_uring_setup),
                         SCMP_SYS(bpf),
                         SCMP_SYS(userfaultfd),
                         SCMP_SYS(perf_event_open),
                         SCMP_SYS(creat),
                         SCMP_SYS(openat2),
                         SCMP_SYS(open_by_handle_at),
                         SCMP_SYS(rename),
                         SCMP_SYS(renameat),
                         SCMP_SYS(renameat2),
                         SCMP_SYS(unlink),
                         SCMP_SYS(unlinkat),
                         SCMP_SYS(link),
                         SCMP_SYS(linkat),
                         SCMP_SYS(symlink),
                         SCMP_SYS(symlinkat),
                         SCMP_SYS(mkdir),
                         SCMP_SYS(mkdirat),
                         SCMP_SYS(mknod),
                         SCMP_SYS(mknodat),
                         SCMP_SYS(truncate),
                         SCMP_SYS(chmod),
                         SCMP_SYS(fchmodat),
                         SCMP_SYS(chown),
                         SCMP_SYS(fchownat),
                         SCMP_SYS(mount),
                         SCMP_SYS(unshare),
                         SCMP_SYS(setns),
                         SCMP_SYS(add_key),
                         SCMP_SYS(keyctl),
                         SCMP_SYS(request_key),
                         SCMP_SYS(memfd_create)}) {
    kill_on(filter.get(), call);
  }
  kill_on(filter.get(), SCMP_SYS(sendto), {4, SCMP_CMP_NE, 0, 0});  // an address
  kill_on_writing_open(filter.get(), SCMP_SYS(open), 1);
  kill_on_writing_open(filter.get(), SCMP_SYS(openat), 2);
  if (const int rc = seccomp_load(filter.get()); rc != 0) refuse("seccomp_load", -rc);
}

}  // namespace cardvault::gate
