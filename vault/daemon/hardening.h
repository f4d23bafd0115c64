// What the process gives up before it touches a secret.
#pragma once

#include <string>
#include <vector>

namespace cardvault::daemon {

// No core files, no ptrace by the same user (prctl(2) PR_SET_DUMPABLE), no new privileges, as many
// descriptors as allowed.
// Throws StartupError when the kernel refuses.
void harden_process();

// From here on this process and its threads write nowhere in the file system but below `writable`
// (Landlock, landlock(7)): the token directory stays whole whatever happens (DESIGN 4.2 trap 1),
// for root too. Returns false where the kernel has no Landlock; throws StartupError when it fails.
bool restrict_writes(const std::vector<std::string>& writable);

}  // namespace cardvault::daemon
