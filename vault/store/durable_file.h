// Files that are there after a power loss.
#pragma once

#include <filesystem>

#include "vault/base/result.h"

namespace cardvault::store {

// All: kStorageFull when the disk has no room, else kStoreFailed, with errno as the number.

// Makes an empty file, mode 0600; kAlreadyExists when there is one.
[[nodiscard]] base::Result<void> create_exclusive(const std::filesystem::path& path);
[[nodiscard]] base::Result<void> sync_file(const std::filesystem::path& path);
[[nodiscard]] base::Result<void> sync_directory(const std::filesystem::path& dir);

// Writes a file's own bytes over it and syncs. After a failed fsync(2) Linux may have dropped pages
// that a later fsync won't write, while reads still show them: only writing them again makes sure.
// A missing file is fine.
[[nodiscard]] base::Result<void> rewrite_and_sync(const std::filesystem::path& path);

}  // namespace cardvault::store
