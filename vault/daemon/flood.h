// Refusals that strangers can cause without limit, counted per source and reason and written to the
// log once in 10 s (DESIGN section 7).
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vault/core/event.h"

namespace cardvault::daemon {

// Thread-safe. Beyond kMaxSources of an actor ("gate:web", "client:web", "unknown") the source
// becomes "*"; another's stay, and nothing goes uncounted. Actors and reasons are the daemon's own
// words or checked against a list: there are few of either.
class FloodCounter {
 public:
  static constexpr std::size_t kMaxSources = 1000;

  void add(std::string_view actor, std::string_view source, std::string_view reason,
           std::uint64_t count = 1);
  // While it is on, who is no client is counted without the source.
  void sum_strangers(bool on) noexcept { sum_strangers_ = on; }
  // The events for what was counted since the last call.
  [[nodiscard]] std::vector<core::Event> take(std::int64_t now_ms);

 private:
  struct Key {
    std::string source, reason;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  using Counts = std::map<Key, std::uint64_t>;
  std::atomic<bool> sum_strangers_ = false;
  std::mutex mutex_;
  std::map<std::string, Counts, std::less<>> counts_;  // by actor
};

}  // namespace cardvault::daemon
