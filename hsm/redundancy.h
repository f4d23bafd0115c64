// What the tokens of one vault know of each other.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>

#include "hsm/connection.h"
#include "hsm/token_crypto.h"

namespace cardvault::hsm {

// Thread-safe.
class Redundancy {
 public:
  explicit Redundancy(std::size_t tokens) : tokens_(tokens), awaited_(tokens) {}

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
  // As Witness::keep_expected().
  void keep_expected(const std::map<core::KeyRef, std::string>& expected);

  // How many tokens serve.
  [[nodiscard]] unsigned serving() const noexcept { return serving_; }
  // One of them was `before` and is `now`.
  void changed(HsmState before, HsmState now) noexcept;
  // What they are together, as of TokenGroup::state(), for one of them that reports what it is now.
  // That all refuse their PIN is told to one alone, though they may have come to it at once.
  [[nodiscard]] HsmState together(HsmState now) noexcept;

  // The first login of one of them has succeeded or failed: once for each.
  void settled();
  // Until that is so of all, or `patience` is over: before then nobody can say whether any serves.
  void await_settled(const std::stop_token& stop, std::chrono::milliseconds patience);

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  Known known_;
  const std::size_t tokens_;
  std::size_t awaited_;  // first logins
  std::atomic<unsigned> serving_ = 0;
  std::atomic<unsigned> refusing_ = 0;
  std::atomic<bool> refusal_told_ = false;
};

}  // namespace cardvault::hsm
