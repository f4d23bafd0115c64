#include "vault/sandbox/notify_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "vault/base/log.h"

namespace cardvault::sandbox {
namespace {

int manager = -1;

void unreachable(const char* path) {
  base::log(base::Level::kWarning, "the service manager can't be told how this process fares",
            {{"notify_socket", path}, {"why", std::strerror(errno)}});
}

}  // namespace

void open_notify_socket() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || *path == '\0') return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t size = std::strlen(path);
  errno = ENAMETOOLONG;
  if (size >= sizeof(address.sun_path)) return unreachable(path);
  std::memcpy(address.sun_path, path, size);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // an abstract name
  // A pair, one end of which is connected elsewhere: RestrictAddressFamilies=none of the gates'
  // units forbids socket(2) alone (systemd.exec(5)).
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return unreachable(path);
  }
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  if (::connect(pair[0], reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    unreachable(path);
    ::close(pair[0]);
  } else {
    manager = pair[0];
  }
  ::close(pair[1]);
}

void notify(std::string_view state) noexcept {
  if (manager < 0) return;
  static_cast<void>(::send(manager, state.data(), state.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
}

void still_alive() noexcept { notify("WATCHDOG=1"); }

base::Result<void> notify_surely(std::string_view state, int fd) {
  iovec part{const_cast<char*>(state.data()), state.size()};  // NOLINT: not written
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  }
  if (::sendmsg(manager, &message, MSG_NOSIGNAL) < 0) {  // EBADF when there is none
    return base::fail(base::Code::kVaultUnavailable, "manager.send", errno);
  }
  return {};
}

}  // namespace cardvault::sandbox
