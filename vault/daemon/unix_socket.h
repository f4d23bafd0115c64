// Unix stream sockets: the only kind of socket that cardvaultd has.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "vault/base/fd.h"
#include "vault/base/result.h"

namespace cardvault::daemon {

using base::Fd;

// Doesn't wait for who listens and doesn't accept: its backlog is full then (EAGAIN). The socket
// itself blocks. Errors: kVaultUnavailable with errno.
[[nodiscard]] base::Result<Fd> connect_unix(const std::string& path);
// Replaces a stale socket file; mode 0660. The caller holds the vault's lock, so nobody listens
// there.
[[nodiscard]] base::Result<Fd> listen_unix(const std::string& path);

struct PeerCredentials {
  std::uint32_t uid = 0;
  std::int32_t pid = 0;
};
// Who connected, or who called listen(2) on the other side (unix(7), SO_PEERCRED).
[[nodiscard]] base::Result<PeerCredentials> peer_credentials(const Fd& fd);

// Writes all, waiting at most timeout_ms for room each time. kVaultUnavailable when it can't.
[[nodiscard]] base::Result<void> send_all(const Fd& fd, std::span<const std::uint8_t> bytes,
                                          int timeout_ms);

}  // namespace cardvault::daemon
