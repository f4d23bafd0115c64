// A vault that was restored begins a log of its own: what its databases have of the old one goes.
#pragma once

#include <filesystem>

#include "vault/base/result.h"

namespace cardvault::store {

// Deletes the events of both files and what says how many were published: the next event is number
// 0. For databases that no process has open, in a folder that is thrown away after an error.
// kStoreFailed, kStorageFull.
[[nodiscard]] base::Result<void> begin_new_log(const std::filesystem::path& dir);

}  // namespace cardvault::store
