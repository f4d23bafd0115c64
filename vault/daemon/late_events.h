// The vault's own events that the store didn't take, until it does: what happens during an outage
// of the log belongs into the log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "vault/core/event.h"

namespace cardvault::daemon {

// Thread-safe.
class LateEvents {
 public:
  // Beyond these the later ones are only counted: the first say how it began.
  static constexpr std::size_t kMaxKept = 1000;

  void keep(std::vector<core::Event> events);

  struct Taken {
    std::vector<core::Event>
        events;              // of now, each with a detail `late_ms`; by when they were made
    std::uint64_t lost = 0;  // those that were only counted
  };
  // What was kept since the last call.
  [[nodiscard]] Taken take(std::int64_t now_ms);

 private:
  std::mutex mutex_;
  Taken kept_;
};

}  // namespace cardvault::daemon
