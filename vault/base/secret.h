// Memory that held a secret: wiped before it is given back, never copied by accident, never
// printed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace cardvault::base {

// Overwrites memory in a way the compiler may not remove (explicit_bzero(3)).
inline void wipe(void* data, std::size_t size) noexcept {
  if (size != 0) explicit_bzero(data, size);
}

// Overwrites the stack below the caller, where a finished call may have left digits behind.
void wipe_stack() noexcept;

// An allocator that wipes what it frees; only for types whose bytes are all there is to them.
template <class T>
struct WipingAllocator {
  static_assert(std::is_trivially_copyable_v<T>);
  using value_type = T;

  WipingAllocator() noexcept = default;
  template <class U>
  WipingAllocator(const WipingAllocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor)

  T* allocate(std::size_t n) { return std::allocator<T>().allocate(n); }
  void deallocate(T* p, std::size_t n) noexcept {
    wipe(p, n * sizeof(T));
    std::allocator<T>().deallocate(p, n);
  }
  friend bool operator==(const WipingAllocator&, const WipingAllocator&) noexcept { return true; }
};

// A growing byte buffer for frames and bodies that may carry a PAN; growth wipes the old block.
using SecretBuffer = std::vector<std::uint8_t, WipingAllocator<std::uint8_t>>;

// Text that may be a PAN, a customer's phone number or a code: move-only, wiped, unprintable.
// Copy with clone(), read with expose(); the layering test lists the files that may do so.
// Not thread-safe.
class SecretText {
 public:
  SecretText() noexcept = default;
  explicit SecretText(std::string_view text) : bytes_(text.begin(), text.end()) {}
  // Not defaulted: a moved-from vector is empty, so nothing stays behind.
  SecretText(SecretText&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  SecretText& operator=(SecretText&& other) noexcept {
    bytes_ = std::exchange(other.bytes_, {});
    return *this;
  }
  SecretText(const SecretText&) = delete;             // a secret has one owner
  SecretText& operator=(const SecretText&) = delete;  // a secret has one owner
  ~SecretText() = default;                            // the allocator wipes

  [[nodiscard]] SecretText clone() const { return SecretText(expose()); }
  [[nodiscard]] std::string_view expose() const noexcept {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }

 private:
  std::vector<std::uint8_t, WipingAllocator<std::uint8_t>> bytes_;
};

[[nodiscard]] inline std::span<const std::uint8_t> as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view as_text(std::span<const std::uint8_t> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace cardvault::base
