// Loaded into cardvaultd or a gate by LD_PRELOAD, for a test: when the process first waits for
// input, so after it confined itself, it tries what CARDVAULT_PROBE names and says on standard
// error how that went. What kills the process says nothing.
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

long connect_to(int family, const sockaddr* to, socklen_t size) {
  const int s = ::socket(family, SOCK_STREAM, 0);
  return s < 0 ? s : ::connect(s, to, size);
}

long attempt(const char* act, const char* where) {
  if (std::strcmp(act, "connect") == 0) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(9443);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect_to(AF_INET, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  }
  if (std::strcmp(act, "unix") == 0) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::strncpy(to.sun_path, where, sizeof(to.sun_path) - 1);
    return connect_to(AF_UNIX, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  }
  if (std::strcmp(act, "read") == 0) return ::open(where, O_RDONLY);
  if (std::strcmp(act, "write") == 0) return ::open(where, O_WRONLY | O_CREAT, 0600);
  if (std::strcmp(act, "exec") == 0) return ::execl("/bin/true", "true", nullptr);
  if (std::strcmp(act, "fork") == 0) return ::fork();
  if (std::strcmp(act, "ptrace") == 0) return ::ptrace(PTRACE_ATTACH, 1, nullptr, nullptr);
  if (std::strcmp(act, "memory") == 0) return ::process_vm_readv(1, nullptr, 0, nullptr, 0, 0);
  if (std::strcmp(act, "signal") == 0) return ::kill(1, 0);
  if (std::strcmp(act, "code") == 0) {
    void* page = ::mmap(nullptr, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : 0;
  }
  if (std::strcmp(act, "io_uring") == 0) return ::syscall(SYS_io_uring_setup, 1, nullptr);
  if (std::strcmp(act, "nothing") == 0) return 0;  // control: the probe itself does no harm
  std::fprintf(stderr, "probe: no such act\n");
  return -1;
}

void probe_once() {
  static std::atomic<bool> done = false;
  const char* act = std::getenv("CARDVAULT_PROBE");
  if (act == nullptr || done.exchange(true)) return;
  const char* where = std::getenv("CARDVAULT_PROBE_AT");
  errno = 0;
  const long result = attempt(act, where == nullptr ? "" : where);
  std::fprintf(stderr, "probe: %s %s\n", act, result >= 0 ? "succeeded" : std::strerror(errno));
}

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" int epoll_wait(int epoll, epoll_event* events, int most, int timeout_ms) {
  probe_once();
  static auto* const real = next<int(int, epoll_event*, int, int)>("epoll_wait");
  return real(epoll, events, most, timeout_ms);
}

extern "C" int poll(pollfd* descriptors, nfds_t count, int timeout_ms) {
  probe_once();
  static auto* const real = next<int(pollfd*, nfds_t, int)>("poll");
  return real(descriptors, count, timeout_ms);
}
