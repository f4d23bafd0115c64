#include "vault/sandbox/system_calls.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <termios.h>

#include <cerrno>
#include <cstring>

#include "vault/base/result.h"
#include "vault/sandbox/process.h"

namespace cardvault::sandbox {
namespace {

void check(const char* what, int rc) {
  if (rc == 0) return;
  throw base::StartupError(std::string(what) + ": " + std::strerror(-rc) +
                           "; this program does not run without its system call filter (under "
                           "systemd, SystemCallFilter must allow seccomp)");
}

// As C code passes an int: with whatever stands in the upper half.
constexpr std::uint64_t kInt = 0xffffffff;

}  // namespace

void SystemCalls::Release::operator()(void* filter) const noexcept { seccomp_release(filter); }

SystemCalls::SystemCalls() : filter_(seccomp_init(SCMP_ACT_KILL_PROCESS)) {
  if (filter_ == nullptr) check("seccomp_init", -ENOMEM);
  allow({SCMP_SYS(brk),
         SCMP_SYS(munmap),
         SCMP_SYS(mremap),
         SCMP_SYS(madvise),
         SCMP_SYS(mlock),
         SCMP_SYS(mlock2),
         SCMP_SYS(munlock),
         SCMP_SYS(futex),
         SCMP_SYS(set_robust_list),
         SCMP_SYS(rseq),
         SCMP_SYS(sched_yield),
         SCMP_SYS(sched_getaffinity),
         SCMP_SYS(getcpu),
         SCMP_SYS(membarrier),
         SCMP_SYS(exit),
         SCMP_SYS(exit_group),
         SCMP_SYS(restart_syscall),
         SCMP_SYS(clock_gettime),
         SCMP_SYS(clock_getres),
         SCMP_SYS(clock_nanosleep),
         SCMP_SYS(nanosleep),
         SCMP_SYS(gettimeofday),
         SCMP_SYS(time),
         SCMP_SYS(rt_sigaction),
         SCMP_SYS(rt_sigprocmask),
         SCMP_SYS(rt_sigreturn),
         SCMP_SYS(rt_sigtimedwait),
         SCMP_SYS(sigaltstack),
         SCMP_SYS(tgkill),
         SCMP_SYS(getpid),
         SCMP_SYS(gettid),
         SCMP_SYS(getuid),
         SCMP_SYS(geteuid),
         SCMP_SYS(getgid),
         SCMP_SYS(getegid),
         SCMP_SYS(getrandom),
         SCMP_SYS(getrusage),
         SCMP_SYS(sysinfo),
         SCMP_SYS(uname),
         SCMP_SYS(read),
         SCMP_SYS(readv),
         SCMP_SYS(pread64),
         SCMP_SYS(preadv),
         SCMP_SYS(write),
         SCMP_SYS(writev),
         SCMP_SYS(close),
         SCMP_SYS(lseek),
         SCMP_SYS(fcntl),
         SCMP_SYS(fstat),
         SCMP_SYS(newfstatat),
         SCMP_SYS(stat),
         SCMP_SYS(lstat),
         SCMP_SYS(statx),
         SCMP_SYS(access),
         SCMP_SYS(faccessat),
         SCMP_SYS(faccessat2),
         SCMP_SYS(readlink),
         SCMP_SYS(readlinkat),
         SCMP_SYS(getcwd),
         SCMP_SYS(getdents64),
         SCMP_SYS(poll),
         SCMP_SYS(ppoll),
         SCMP_SYS(epoll_create1),
         SCMP_SYS(epoll_ctl),
         SCMP_SYS(epoll_wait),
         SCMP_SYS(epoll_pwait),
         SCMP_SYS(eventfd2),
         SCMP_SYS(pipe2),
         SCMP_SYS(timerfd_create),
         SCMP_SYS(timerfd_settime)});
  // Threads, not processes. The flags of clone3 are out of a filter's sight, so glibc is told that
  // it doesn't exist and takes clone.
  allow_if(SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD);
  check("seccomp_rule_add",
        seccomp_rule_add(filter_.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
  // No new code: W^X, and nothing executable at all unless allow_loading_code().
  allow_if(SCMP_SYS(mmap), 2, PROT_EXEC, 0);
  allow_if(SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
  // Its own limits, read only: new_limit is null.
  allow_if(SCMP_SYS(prlimit64), 2, ~std::uint64_t{0}, 0);
  allow_if(SCMP_SYS(prctl), 0, kInt, PR_SET_NAME);
  for (const std::uint64_t request :
       {std::uint64_t{TCGETS}, std::uint64_t{FIONBIO}, std::uint64_t{FIONREAD}}) {
    allow_if(SCMP_SYS(ioctl), 1, kInt, request);
  }
}

void SystemCalls::allow(std::initializer_list<int> calls) {
  for (const int call : calls) {
    check("seccomp_rule_add", seccomp_rule_add(filter_.get(), SCMP_ACT_ALLOW, call, 0));
  }
}

void SystemCalls::allow(const std::string& name) {
  const int call = seccomp_syscall_resolve_name(name.c_str());
  if (call == __NR_SCMP_ERROR) {
    throw base::StartupError("[sandbox] system_calls: \"" + name +
                             "\" is no system call; see syscalls(2)");
  }
  allow({call});
}

void SystemCalls::allow_if(int call, const std::vector<Condition>& all) {
  std::vector<scmp_arg_cmp> comparisons;
  for (const Condition& one : all) {
    comparisons.push_back({one.argument, SCMP_CMP_MASKED_EQ, one.mask, one.value});
  }
  check("seccomp_rule_add",
        seccomp_rule_add_array(filter_.get(), SCMP_ACT_ALLOW, call,
                               static_cast<unsigned>(comparisons.size()), comparisons.data()));
}

void SystemCalls::allow_reading_files() {
  constexpr std::uint64_t changing = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
  allow_if(SCMP_SYS(open), 1, changing, 0);
  allow_if(SCMP_SYS(openat), 2, changing, 0);
}

void SystemCalls::allow_loading_code() {
  allow_if(SCMP_SYS(mmap), 2, PROT_EXEC | PROT_WRITE, PROT_EXEC);
}

void SystemCalls::hold() {
  if (!kConfined) return;
  check("seccomp_attr_set", seccomp_attr_set(filter_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));
  check("seccomp_load", seccomp_load(filter_.get()));
}

}  // namespace cardvault::sandbox
