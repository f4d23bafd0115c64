// Watches the disks of the databases and of the published log.
#pragma once

#include "vault/daemon/vault.h"

namespace cardvault::daemon {

// Belongs to one thread.
class DiskWatch {
 public:
  explicit DiskWatch(Vault& vault) : vault_(vault) {}
  // Looks at both, tells the vault, raises an alarm where a level begins. Call it each second.
  void look();

 private:
  Vault& vault_;
  DiskLevel data_ = DiskLevel::kEnough, audit_ = DiskLevel::kEnough;
};

}  // namespace cardvault::daemon
