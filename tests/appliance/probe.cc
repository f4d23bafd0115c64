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

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

long connect_to(int family, const sockaddr* to, socklen_t size) {
  const int s = ::socket(family, SOCK_STREAM, 0);
  return s < 0 ? s : ::connect(s, to, size);
}

constexpr std::size_t kFrameHead = 13;  // length, type, id (docs/gate-protocol.md)

// In a gate: the number of the inherited socket named "vault", before the gate takes the names
// away.
int vault_listener() {
  const char* names = std::getenv("LISTEN_FDNAMES");
  if (names == nullptr) return -1;
  const std::string list = std::string(":") + names + ":";
  const std::size_t at = list.find(":vault:");
  if (at == std::string::npos) return -1;
  return 3 + static_cast<int>(std::count(list.begin(), list.begin() + static_cast<long>(at), ':'));
}
const int listener = vault_listener();

bool wait_for_input(int fd, int timeout_ms) {
  pollfd one{fd, POLLIN, 0};
  return ::poll(&one, 1, timeout_ms) == 1;
}

// One whole frame; empty when none comes.
std::string read_frame(int fd, int timeout_ms) {
  std::string frame;
  std::size_t wanted = 4;
  while (frame.size() < wanted) {
    std::array<char, 4096> piece{};
    if (!wait_for_input(fd, timeout_ms)) return "";
    const auto n = ::recv(fd, piece.data(), std::min(piece.size(), wanted - frame.size()), 0);
    if (n <= 0) return "";
    frame.append(piece.data(), static_cast<std::size_t>(n));
    if (frame.size() == 4) {
      std::uint32_t length = 0;
      std::memcpy(&length, frame.data(), sizeof(length));
      wanted += length;
    }
  }
  return frame;
}

// In the place of the taken gate's own code: takes cardvaultd's connection, says hello in the
// daemon's own version, sends the frames (hex) and prints what is answered (hex).
long speak_protocol(const std::string& hex) {
  if (!wait_for_input(listener, 20'000)) return -1;
  const int vault = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (vault < 0) return -1;
  const std::string hello = read_frame(vault, 5000);
  if (hello.size() < kFrameHead + 4) return -1;
  std::string out("\x12\0\0\0\1\0\0\0\0\0\0\0\0", kFrameHead);
  out += hello.substr(kFrameHead, 4) + std::string("\3\0web", 5);
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  if (::send(vault, out.data(), out.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(out.size())) {
    return -1;
  }
  std::string said = "probe: protocol ";
  for (std::string frame = read_frame(vault, 5000); !frame.empty();
       frame = read_frame(vault, 2000)) {
    for (const char c : frame) {
      std::array<char, 3> two{};
      std::snprintf(two.data(), two.size(), "%02x",
                    static_cast<unsigned>(static_cast<unsigned char>(c)));
      said += two.data();
    }
    said += ' ';
  }
  std::fprintf(stderr, "%s\n", said.c_str());
  return 0;
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
  if (std::strcmp(act, "load") == 0) {  // as dlopen(3) does
    void* code =
        ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, ::open(where, O_RDONLY), 0);
    return code == MAP_FAILED ? -1 : 0;
  }
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
  if (std::strcmp(act, "protocol") == 0) return speak_protocol(where);
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
