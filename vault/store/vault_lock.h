// One process at a time has a vault's directory.
#pragma once

#include <filesystem>

namespace cardvault::store {

// Holds flock(2) on DIR/vault.lock for its life; the file names the holder's process id.
class VaultLock {
 public:
  // Throws StartupError, naming the process that holds it, or what is wrong with the directory.
  explicit VaultLock(const std::filesystem::path& dir);
  ~VaultLock();
  VaultLock(const VaultLock&) = delete;             // one holder
  VaultLock& operator=(const VaultLock&) = delete;  // one holder

 private:
  int fd_ = -1;
};

}  // namespace cardvault::store
