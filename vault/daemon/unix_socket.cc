#include "vault/daemon/unix_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace cardvault::daemon {
namespace {

using base::Code;
using base::fail;

base::Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return fail(Code::kInvalidArgument, "unix.path_too_long", static_cast<long>(path.size()));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

base::Result<Fd> unix_socket(int flags = 0) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!fd) return fail(Code::kVaultUnavailable, "unix.socket", errno);
  return fd;
}

}  // namespace

base::Result<Fd> connect_unix(const std::string& path) {
  auto address = address_of(path);
  if (!address) return std::unexpected(address.error());
  auto fd = unix_socket(SOCK_NONBLOCK);
  if (!fd) return fd;
  if (::connect(fd->get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0 ||
      ::fcntl(fd->get(), F_SETFL, O_RDWR) != 0) {
    return fail(Code::kVaultUnavailable, "unix.connect", errno);
  }
  return fd;
}

base::Result<Fd> listen_unix(const std::string& path) {
  auto address = address_of(path);
  if (!address) return std::unexpected(address.error());
  auto fd = unix_socket();
  if (!fd) return fd;
  ::unlink(path.c_str());
  if (::bind(fd->get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
    return fail(Code::kVaultUnavailable, "unix.bind", errno);
  }
  if (::chmod(path.c_str(), 0660) != 0 || ::listen(fd->get(), 16) != 0) {
    return fail(Code::kVaultUnavailable, "unix.listen", errno);
  }
  return fd;
}

base::Result<PeerCredentials> peer_credentials(const Fd& fd) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return fail(Code::kVaultUnavailable, "unix.peer_credentials", errno);
  }
  return PeerCredentials{credentials.uid, credentials.pid};
}

base::Result<void> send_all(const Fd& fd, std::span<const std::uint8_t> bytes, int timeout_ms) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN) return fail(Code::kVaultUnavailable, "unix.send", errno);
    pollfd waiting{fd.get(), POLLOUT, 0};
    if (::poll(&waiting, 1, timeout_ms) <= 0) {
      return fail(Code::kVaultUnavailable, "unix.send_timeout", errno);
    }
  }
  return {};
}

}  // namespace cardvault::daemon
