// What a run of the load generator found, for people and for programs.
#pragma once

#include <string>

#include "tests/bench/options.h"
#include "tests/bench/worker.h"

namespace cardvault::bench {

struct Report {
  Tally tally;
  double seconds = 0;           // measured
  double watched_cpu_us = 0;    // of the watched processes, while measured
  double generator_cpu_us = 0;  // our own
};
// On stdout, one line of JSON or a few of text.
void print(const Options& options, const Report& report);

struct IdleReport {
  std::size_t asked = 0, open = 0, closed = 0;
  double open_seconds = 0;
  std::vector<std::int64_t> rss_before, rss_after;  // of the watched processes
  std::map<std::string, std::uint64_t> problems;
};
void print(const Options& options, const IdleReport& report);

}  // namespace cardvault::bench
