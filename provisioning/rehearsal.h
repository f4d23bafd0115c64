// What a rehearsal leaves on media: files of shares that open nothing.
#pragma once

#include <string>
#include <vector>

#include "provisioning/context.h"
#include "provisioning/custody/plan.h"
#include "vault/custody/transcript.h"

namespace cardvault::provisioning {

// Removes the share files of a rehearsal from the media of its plan: those of its shares' names,
// labels and digests. Returns the names of the others that it gave out and that are not there.
[[nodiscard]] std::vector<std::string> remove_share_files(const custody::Transcript& rehearsal);

// Ends a rehearsal of another plan that was broken off in `stage`: says what it left, removes its
// share files and the folder. One of this plan stays, and is gone on with. Throws ToolError where
// its transcript can't be read, or another process is at work there.
void end_other_rehearsal(const Context& context, const custody::Plan& plan,
                         const std::string& stage);

}  // namespace cardvault::provisioning
