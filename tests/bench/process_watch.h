// What other processes cost: CPU time and resident memory from /proc (proc(5)).
#pragma once

#include <cstdint>
#include <vector>

namespace cardvault::bench {

struct ProcessCost {
  double cpu_us = 0;              // user and system time of all of them together
  std::vector<std::int64_t> rss;  // resident bytes of each, 0 when it is gone
};

[[nodiscard]] ProcessCost measure(const std::vector<int>& pids);

}  // namespace cardvault::bench
