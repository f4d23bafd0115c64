#include "tests/bench/process_watch.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace cardvault::bench {
namespace {

struct Stat {
  double ticks = 0;
  std::int64_t pages = 0;
};

Stat read_stat(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  // The name in parentheses may hold anything; the fields after it are numbered from 3.
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  for (int field = 16; field < 24; ++field) fields >> skipped;
  Stat stat;
  stat.ticks = user + system;
  fields >> stat.pages;
  return stat;
}

}  // namespace

ProcessCost measure(const std::vector<int>& pids) {
  ProcessCost cost;
  const auto tick_us = 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  const std::int64_t page = ::sysconf(_SC_PAGESIZE);
  for (const int pid : pids) {
    const Stat stat = read_stat(pid);
    cost.cpu_us += stat.ticks * tick_us;
    cost.rss.push_back(stat.pages * page);
  }
  return cost;
}

}  // namespace cardvault::bench
