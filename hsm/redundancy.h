// What the tokens of one vault know of each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

#include "hsm/connection.h"

namespace cardvault::hsm {

// Thread-safe.
class Redundancy {
 public:
  // What a token that logs in is compared with, beyond check values: canaries, MACs and public keys
  // of those that serve or did.
  struct Known {
    Witness witness;
    std::optional<core::Suite> suite;  // that records are encrypted with
    std::uint64_t version = 0;
  };
  [[nodiscard]] Known known() const;
  // Takes up what a token has proven that was compared with `known`. False when another one has
  // added to it since: compare again.
  [[nodiscard]] bool agree(const Known& known);

  // How many tokens serve.
  [[nodiscard]] unsigned serving() const noexcept { return serving_; }
  void begins_to_serve() noexcept { ++serving_; }
  void serves_no_more() noexcept { --serving_; }

 private:
  mutable std::mutex mutex_;
  Known known_;
  std::atomic<unsigned> serving_ = 0;
};

}  // namespace cardvault::hsm
