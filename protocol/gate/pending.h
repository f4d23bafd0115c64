// Requests that wait for the vault's answer: a fixed table, so that nothing is allocated per
// request and an id that is no longer waited for finds nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "vault/core/request.h"

namespace cardvault::gate {

// Not thread-safe: the vault link holds its mutex around every call.
class Pending {
 public:
  using Done = std::move_only_function<void(core::Answer)>;
  static constexpr std::size_t kMax = 8192;

  Pending();
  // The id for the frame; nothing when kMax requests wait already: `done` is then left alone.
  // `deadline` is in the ticks that expired() is asked with.
  [[nodiscard]] std::optional<std::uint64_t> add(Done& done, std::uint32_t deadline);
  // Who waits for this answer; empty when nobody does (any more).
  [[nodiscard]] Done take(std::uint64_t id);
  [[nodiscard]] std::vector<Done> expired(std::uint32_t now);
  [[nodiscard]] std::vector<Done> all();
  [[nodiscard]] std::size_t size() const noexcept { return kMax - free_.size(); }

 private:
  struct Slot {
    std::uint64_t id = 0;  // 0: free
    std::uint32_t deadline = 0;
    Done done;
  };
  Done release(std::size_t at);

  std::vector<Slot> slots_;
  std::vector<std::uint16_t> free_;
  std::uint64_t round_ = 0;
};

}  // namespace cardvault::gate
