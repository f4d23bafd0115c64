// Who changes the custodians' papers does so alone.
#pragma once

#include <string>

namespace cardvault::provisioning {

// Held while it lives (flock(2)); a vault without custodians has no such folder and nothing to
// lock. Throws ToolError where another command holds it, or the folder can't be read.
class PapersLock {
 public:
  explicit PapersLock(const std::string& custody_folder);
  ~PapersLock();
  PapersLock(const PapersLock&) = delete;             // owns the lock
  PapersLock& operator=(const PapersLock&) = delete;  // owns the lock

 private:
  int folder_ = -1;
};

}  // namespace cardvault::provisioning
