// The gate's own counters, as Prometheus text behind the vault's.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "protocol/gate/routes.h"
#include "protocol/gate/strangers.h"

namespace cardvault::gate {

// Thread-safe, without locks: a few atomics, since labels are closed enums.
class Metrics {
 public:
  void accepted() noexcept { add(accepted_); }
  void refused(StrangerReason reason) noexcept {
    add(strangers_[static_cast<std::size_t>(reason)]);
  }
  void handshake() noexcept { add(handshakes_); }
  void answered(Operation operation, unsigned status) noexcept;
  void link_up() noexcept { add(links_); }

  // `name` is the gate's, `open` the connections now, `up` whether a vault is connected.
  [[nodiscard]] std::string text(const std::string& name, std::size_t open, bool up) const;

 private:
  using Counter = std::atomic<std::uint64_t>;
  static constexpr std::array<unsigned, 18> kStatuses = {
      200, 204, 400, 403, 404, 405, 408, 409, 411, 413, 415, 422, 423, 429, 431, 500, 503, 505};
  static void add(Counter& counter) noexcept { counter.fetch_add(1, std::memory_order_relaxed); }

  Counter accepted_ = 0, handshakes_ = 0, links_ = 0;
  std::array<Counter, kStrangerReasons> strangers_{};
  std::array<std::array<Counter, kStatuses.size()>, kOperations> answers_{};
};

}  // namespace cardvault::gate
