// Shares are told good from void by the newest transcript of their vault alone.
#pragma once

#include <string>

#include "vault/custody/transcript.h"

namespace cardvault::provisioning {

// The transcript at `path`. Throws ToolError(kRefused) with the name of the one to use where a
// newer one of the same vault lies in its folder; StartupError when it can't be read.
[[nodiscard]] custody::Transcript read_newest(const std::string& path);

// What read_newest() refuses, for a transcript that is to be continued in another folder.
void refuse_outdated(const std::string& path, const custody::Transcript& transcript,
                     const std::string& folder);

// Throws ToolError(kUsage) where a transcript of this name would not be the newest of its folder.
void demand_newer_name(const std::string& path);

}  // namespace cardvault::provisioning
