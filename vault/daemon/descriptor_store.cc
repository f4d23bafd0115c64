#include "vault/daemon/descriptor_store.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>

namespace cardvault::daemon {
namespace {

using base::Code;
using base::fail;

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START

base::Result<void> notify(const std::string& text, const Fd* fd) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t size = path == nullptr ? 0 : std::strlen(path);
  if (size < 2 || size >= sizeof(address.sun_path)) {
    return fail(Code::kVaultUnavailable, "notify.socket", ENOENT);
  }
  std::memcpy(address.sun_path, path, size);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail(Code::kVaultUnavailable, "notify.socket", errno);
  iovec part{const_cast<char*>(text.data()), text.size()};  // NOLINT: not written
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (fd != nullptr) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int raw = fd->get();
    std::memcpy(CMSG_DATA(header), &raw, sizeof(raw));
  }
  if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL) < 0) {
    return fail(Code::kVaultUnavailable, "notify.send", errno);
  }
  return {};
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

base::Result<void> store_descriptor(const Fd& fd, std::string_view name) {
  return notify("FDSTORE=1\nFDNAME=" + std::string(name), &fd);
}

base::Result<void> forget_descriptor(std::string_view name) {
  return notify("FDSTOREREMOVE=1\nFDNAME=" + std::string(name), nullptr);
}

std::optional<Fd> inherited_descriptor(std::string_view name) {
  if (environment("LISTEN_PID") != std::to_string(::getpid())) return std::nullopt;
  const int count = std::atoi(environment("LISTEN_FDS").c_str());
  std::istringstream names(environment("LISTEN_FDNAMES"));
  std::optional<Fd> found;
  std::string one;
  for (int i = 0; i < count && std::getline(names, one, ':'); ++i) {
    if (one != name) continue;
    Fd fd(kFirst + i);
    if (found || ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0) continue;
    found = std::move(fd);
  }
  ::unsetenv("LISTEN_PID");
  ::unsetenv("LISTEN_FDS");
  ::unsetenv("LISTEN_FDNAMES");
  return found;
}

}  // namespace cardvault::daemon
