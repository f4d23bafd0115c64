// What cardvaultd may still do once it runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vault/sandbox/file_access.h"

namespace cardvault::daemon {

struct Config;

// [sandbox]: what a PKCS#11 module needs beyond what this program allows itself.
struct SandboxConfig {
  std::vector<std::string> read;          // files and folders
  std::vector<std::string> system_calls;  // names
  std::uint16_t hsm_port = 0;             // of a network HSM; 0: no TCP at all
  friend bool operator==(const SandboxConfig&, const SandboxConfig&) = default;
};

// The files of this configuration: writes go to the data folder, the published log and the admin
// socket's folder alone. The token's folder is read-only whatever its mode says, for root too:
// SoftHSM rewrites its files at every login, and a kill at that moment destroys them (DESIGN 4.2
// trap 1). It is allowed by the folder it stands in, because it is exchanged as a whole.
[[nodiscard]] sandbox::FileAccess reachable_files(const Config& config);

// Restricts this process to those files (Landlock) and to the system calls of a daemon that has
// Unix sockets alone (seccomp): no process, no program, no tracing, no network but TCP to hsm_port.
// Before any thread and before the module is loaded. Throws base::StartupError; without Landlock in
// the kernel it logs a warning.
void confine(const Config& config);

}  // namespace cardvault::daemon
