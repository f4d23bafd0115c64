// The epoll loop of the load generator: closed, or open with a fixed schedule of arrivals.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/bench/histogram.h"
#include "tests/bench/lane.h"

namespace cardvault::bench {

[[nodiscard]] std::int64_t now_ns() noexcept;  // CLOCK_MONOTONIC

// One run's times, in now_ns().
struct Schedule {
  std::int64_t start_ns = 0;
  std::int64_t measure_ns = 0;  // end of the warm-up
  std::int64_t end_ns = 0;
  std::int64_t interval_ns = 0;  // between arrivals at this worker; 0: closed loop
};

struct Tally {
  Histogram latency;
  std::uint64_t requests = 0;  // answered well while measured
  std::uint64_t items = 0;     // of them, those without a problem
  std::uint64_t backlog = 0;  // due (open loop) but never sent; in `latency` with their wait so far
  std::map<std::string, std::uint64_t> problems;  // by code, over the whole run
  void add(const Tally& other);
};

// Owns its lanes and one thread's loop. Not thread-safe.
class Worker {
 public:
  Worker(const Script& script, std::uint64_t seed) : script_(script), cards_(seed) {}
  ~Worker();
  Worker(const Worker&) = delete;             // epoll's tags are indexes into lanes_
  Worker& operator=(const Worker&) = delete;  // epoll's tags are indexes into lanes_

  // Opens `count` lanes; the first is number `first` of all workers'.
  [[nodiscard]] base::Result<void> open(std::size_t count, std::size_t first);
  // Runs to the schedule's end, then up to 5 s more for answers outstanding.
  [[nodiscard]] Tally run(const Schedule& schedule);

 private:
  void ask(std::size_t index, std::int64_t due_ns);
  void step(std::size_t index);
  void answered(std::size_t index, const client::Response& response);
  void lost(std::size_t index, const base::Error& error);
  void issue_due(std::int64_t now);
  [[nodiscard]] std::int64_t next_wake(std::int64_t now) const;
  void want_writable(std::size_t index, bool wanted);
  void count_backlog();

  const Script& script_;
  CardStream cards_;
  Schedule schedule_;
  std::vector<Lane> lanes_;
  std::vector<std::size_t> idle_;
  std::int64_t next_due_ns_ = 0;
  std::size_t in_flight_ = 0;
  int epoll_ = -1;
  Tally tally_;
};

}  // namespace cardvault::bench
