// Which of the vault's files a path or a descriptor is.
#pragma once

#include <string>

#include "tests/fault/disk_steering.h"

namespace cardvault::fault {

// $CARDVAULT_DISK_STEERING, mapped when the program is loaded; nullptr: nobody steers.
[[nodiscard]] Steering* steering();

// Absolute, as the kernel resolves `path` from `folder` (AT_FDCWD or a descriptor).
[[nodiscard]] std::string absolute(int folder, const char* path);
[[nodiscard]] Kind kind_of(const std::string& path);

// What is known of an open descriptor: of files that are one of the vault's.
void remember(int fd, const std::string& path);
void forget(int fd);
[[nodiscard]] std::string path_of(int fd);  // "" for others

}  // namespace cardvault::fault
