// The bounded queue between the links and the workers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "vault/core/operation.h"

namespace cardvault::daemon {

// Whose an operation is, and what it will cost: calls to the HSM, about.
struct Charge {
  std::string gate;
  std::uint32_t calls = 1;
};

// Thread-safe. Each gate has a queue of its own, first come, first served, and they are served by
// turns that cost alike (self-clocked fair queueing): a gate that asks for more than its share
// waits for itself, whatever it sends.
class WorkQueue {
 public:
  using Operations = std::vector<std::unique_ptr<core::Operation>>;

  // So many operations may wait of each gate, and no more once what waits would cost kCallsPerPlace
  // times as many calls.
  explicit WorkQueue(std::size_t bound) : bound_(bound) {}

  // False when the gate's queue is full or all is closed; the operation stays with the caller then.
  [[nodiscard]] bool push(const Charge& charge, std::unique_ptr<core::Operation>& operation);
  // A conflict's second try: goes ahead of the bound, for it already had its place.
  [[nodiscard]] bool push_again(const Charge& charge, std::unique_ptr<core::Operation>& operation);
  // How many operations wait, of each gate that has had any.
  [[nodiscard]] std::map<std::string, std::size_t> waiting() const;
  // Waits for work; at most `most` operations, and no more once they cost kCallsPerTake; none once
  // the queue is closed and empty.
  [[nodiscard]] Operations take(std::size_t most);
  // Nothing more is taken in. What is queued is still handed out.
  void close();
  // After close(): waits until all was handed out; what still waits at `deadline` comes back.
  [[nodiscard]] Operations leave(std::chrono::steady_clock::time_point deadline);

 private:
  static constexpr std::uint64_t kCallsPerPlace = 48;
  static constexpr std::uint64_t kCallsPerTake = 256;  // another worker may have the next

  struct Waiting {
    std::unique_ptr<core::Operation> operation;
    std::uint32_t calls = 1;
  };
  struct Lane {
    std::string gate;
    std::deque<Waiting> waiting;
    std::uint64_t calls = 0;  // of all that wait
    std::uint64_t turn = 0;   // the one with the least is next
  };
  Lane& lane_of(std::string_view gate);
  Lane* next_lane();
  std::unique_ptr<core::Operation> pop(Lane& lane, std::uint64_t& calls);

  const std::size_t bound_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::condition_variable empty_;
  std::deque<Lane> lanes_;  // by gate, a few: made when a gate's first operation comes
  std::uint64_t now_ = 0;   // the turn that was served last
  std::size_t waiting_ = 0;
  bool closed_ = false;
};

}  // namespace cardvault::daemon
