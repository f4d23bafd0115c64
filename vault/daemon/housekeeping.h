// What the vault does by the clock: floods to the log, expired cards, marks, gauges, warnings.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "vault/daemon/disk_watch.h"
#include "vault/daemon/vault.h"

namespace cardvault::daemon {

// A thread of its own, one round a second.
class Housekeeping {
 public:
  explicit Housekeeping(Vault& vault);
  ~Housekeeping();
  Housekeeping(const Housekeeping&) = delete;             // its thread holds its address
  Housekeeping& operator=(const Housekeeping&) = delete;  // its thread holds its address

 private:
  void run();
  void round(unsigned second);
  void sweep_expired();
  void sweep_codes();
  // Says in the log which HSM serves, when it begins to or is another one.
  void watch_tokens();
  void watch_clock();
  void watch_keys();
  void watch_periods();
  void set_gauges(unsigned second);

  Vault& vault_;
  DiskWatch disks_;
  bool clock_trusted_ = true;
  std::map<std::size_t, std::vector<std::pair<std::string, std::string>>> serving_;  // by token
  std::set<std::string> warned_keys_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cardvault::daemon
