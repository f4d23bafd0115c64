// A file that other accounts of this machine read while we replace it.
#pragma once

#include <string>
#include <string_view>

#include "vault/base/result.h"

namespace cardvault::daemon {

// The text, whole or as it was before, after a kill or power loss too: into PATH.new, synced, then
// renamed. Mode 0644, whatever the umask. kStorageFull, or kStoreFailed with errno.
[[nodiscard]] base::Result<void> write_public_file(const std::string& path, std::string_view text);

}  // namespace cardvault::daemon
