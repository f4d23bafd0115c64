// The service manager's file-descriptor store (sd_notify(3), sd_listen_fds(3)): a descriptor given
// to it comes back when this process is started anew after a crash.
#pragma once

#include <optional>
#include <string_view>

#include "vault/base/result.h"
#include "vault/daemon/unix_socket.h"

namespace cardvault::daemon {

// Hands over a copy, under a name. kVaultUnavailable with errno: there is no service manager that
// takes it ($NOTIFY_SOCKET). Whether it was kept can't be known: systemd drops what is beyond
// FileDescriptorStoreMax=.
[[nodiscard]] base::Result<void> store_descriptor(const Fd& fd, std::string_view name);
// Has all copies of that name dropped. Errors as above.
[[nodiscard]] base::Result<void> forget_descriptor(std::string_view name);
// What came with the start of this process ($LISTEN_FDS, $LISTEN_FDNAMES), once; others of the same
// name are closed.
[[nodiscard]] std::optional<Fd> inherited_descriptor(std::string_view name);

}  // namespace cardvault::daemon
