// An online copy of both files as they were at one moment between two groups.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "vault/base/result.h"
#include "vault/store/connection.h"

namespace cardvault::store {

// Pages copied so far and pages in all, of both files together.
using BackupProgress = std::function<void(std::int64_t done, std::int64_t total)>;

// Takes the snapshot that copy_snapshot() copies: on the connection's thread or with it at rest.
[[nodiscard]] base::Result<void> hold_snapshot(Connection& source);
// Copies what the held snapshot shows into a new file, mode 0600, and syncs it. kAlreadyExists when
// there is one; a copy that failed is removed.
[[nodiscard]] base::Result<void> copy_snapshot(Connection& source,
                                               const std::filesystem::path& target,
                                               const BackupProgress& progress);

}  // namespace cardvault::store
