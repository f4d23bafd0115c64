// A decision in the committer's transaction, from a thread that waits for it.
#pragma once

#include <functional>

#include "vault/core/store.h"

namespace cardvault::daemon {

// Returns once it is durable. `after` runs on the committer's thread once it is: for images in
// memory, in the order of the commits. Errors of `decide` and of the store. Not on the committer's
// thread.
[[nodiscard]] base::Result<void> commit_and_wait(
    core::Committer& committer,
    std::move_only_function<base::Result<void>(core::Transaction&, core::EventSink&)> decide,
    std::move_only_function<void()> after = {});

}  // namespace cardvault::daemon
