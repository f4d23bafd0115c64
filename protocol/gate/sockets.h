// The sockets that a gate is born with: it never makes one itself (systemd's sd_listen_fds(3)).
#pragma once

#include <vector>

namespace cardvault::gate {

// Listening descriptors, non-blocking and close-on-exec. They stay open as long as the process.
struct Sockets {
  std::vector<int> tls;     // TCP: "tls", one or more
  int vault = -1;           // Unix, where cardvaultd connects: "vault"
  std::vector<int> health;  // Unix, plain HTTP for probes and scrapers: "health", optional
};

// Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES and removes them from the environment. Throws
// base::StartupError on a missing, unknown or unfit socket.
[[nodiscard]] Sockets inherit_sockets();

}  // namespace cardvault::gate
