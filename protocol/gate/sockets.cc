#include "protocol/gate/sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "vault/base/result.h"

namespace cardvault::gate {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START

using base::StartupError;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int socket_option(int fd, int option) {
  int value = 0;
  socklen_t size = sizeof(value);
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

void check_listener(int fd, std::string_view name, bool unix_socket) {
  const int domain = socket_option(fd, SO_DOMAIN);
  const bool fits = unix_socket ? domain == AF_UNIX : domain == AF_INET || domain == AF_INET6;
  if (!fits || socket_option(fd, SO_TYPE) != SOCK_STREAM || socket_option(fd, SO_ACCEPTCONN) != 1) {
    throw StartupError("the socket `" + std::string(name) + "` must be a listening " +
                       (unix_socket ? "Unix" : "TCP") +
                       " stream socket; check ListenStream= in the .socket unit");
  }
}

void prepare(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    throw StartupError(std::string("fcntl of an inherited socket: ") + std::strerror(errno));
  }
}

void take(Sockets& sockets, int fd, const std::string& name) {
  if (name == "tls") {
    check_listener(fd, name, false);
    const int one = 1;  // accepted connections inherit it
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    sockets.tls.push_back(fd);
  } else if (name == "vault" && sockets.vault < 0) {
    check_listener(fd, name, true);
    // Listening anew makes this process's own credentials those that cardvaultd sees as its peer's,
    // not those of whoever made the socket.
    if (::listen(fd, SOMAXCONN) != 0) {
      throw StartupError(std::string("listen on the vault socket: ") + std::strerror(errno));
    }
    sockets.vault = fd;
  } else if (name == "health") {
    check_listener(fd, name, true);
    sockets.health.push_back(fd);
  } else {
    throw StartupError("the inherited socket `" + name +
                       "` is not one of tls, vault (once), health; check FileDescriptorName= in "
                       "the .socket units");
  }
  prepare(fd);
}

}  // namespace

Sockets inherit_sockets() {
  const std::string pid = environment("LISTEN_PID");
  const std::string count_text = environment("LISTEN_FDS");
  std::string names = environment("LISTEN_FDNAMES");
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  if (pid != std::to_string(::getpid()) || count_text.empty() || count_text.size() > 3) {
    throw StartupError(
        "no sockets were passed (LISTEN_PID, LISTEN_FDS): start cardvault-gate by its systemd unit "
        "or under a supervisor that passes the sockets `tls` and `vault`");
  }
  Sockets sockets;
  int count = 0;
  const char* const end = count_text.data() + count_text.size();
  if (std::from_chars(count_text.data(), end, count).ptr != end) {
    throw StartupError("LISTEN_FDS is no number: see sd_listen_fds(3)");
  }
  for (int fd = kFirst; fd < kFirst + count; ++fd) {
    const std::size_t colon = names.find(':');
    take(sockets, fd, names.substr(0, colon));
    names.erase(0, colon == std::string::npos ? names.size() : colon + 1);
  }
  if (sockets.tls.empty() || sockets.vault < 0) {
    throw StartupError(
        "the sockets `tls` and `vault` are both needed; check FileDescriptorName= in "
        "the .socket units");
  }
  return sockets;
}

}  // namespace cardvault::gate
