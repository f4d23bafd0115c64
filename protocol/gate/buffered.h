// What the gate holds for its clients, bounded for all of them together.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

namespace cardvault::gate {

// One request's or answer's bytes in the count of all. The first 4 KiB of each are not counted, so
// that small ones pass while large ones fill the gate. One thread; the count itself is shared.
class Buffered {
 public:
  static constexpr std::size_t kFree = 4096;

  // `all` must outlive it.
  explicit Buffered(std::atomic<std::size_t>& all) noexcept : all_(all) {}
  ~Buffered() { all_.fetch_sub(counted_); }
  Buffered(const Buffered&) = delete;             // it gives back what it counted, once
  Buffered& operator=(const Buffered&) = delete;  // it gives back what it counted, once

  // It is `bytes` long now. False, and as long as before, when it would have to grow and all
  // together would come to more than `limit`.
  [[nodiscard]] bool hold(std::size_t bytes, std::size_t limit) noexcept {
    const std::size_t counted = bytes - std::min(bytes, kFree);
    if (counted <= counted_) {
      all_.fetch_sub(counted_ - counted);
    } else if (const std::size_t more = counted - counted_; all_.fetch_add(more) + more > limit) {
      all_.fetch_sub(more);
      return false;
    }
    counted_ = counted;
    return true;
  }

 private:
  std::atomic<std::size_t>& all_;
  std::size_t counted_ = 0;
};

}  // namespace cardvault::gate
