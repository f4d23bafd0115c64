// The primitives of payloads (docs/gate-protocol.md): little-endian numbers, length-prefixed text.
// Private to protocol/wire.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "vault/base/check.h"
#include "vault/base/secret.h"

namespace cardvault::wire {

// Appends to a buffer. `Bytes` is a vector of bytes, with whatever allocator.
template <class Bytes>
class Writer {
 public:
  explicit Writer(Bytes& out) noexcept : out_(out) {}

  template <std::unsigned_integral T>
  void number(T value) {
    std::uint8_t raw[sizeof(T)];
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      raw[i] = static_cast<std::uint8_t>(value >> (8 * i));
    }
    out_.insert(out_.end(), raw, raw + sizeof(T));
  }
  void u8(std::uint8_t value) { out_.push_back(value); }
  void flag(bool value) { out_.push_back(value ? 1 : 0); }
  void i32(std::int32_t value) { number(static_cast<std::uint32_t>(value)); }
  void i64(std::int64_t value) { number(static_cast<std::uint64_t>(value)); }
  // A count, or a text of at most 65,535 bytes: callers bound what they send.
  void count(std::size_t n) {
    CARDVAULT_CHECK(n <= 0xffff);
    number(static_cast<std::uint16_t>(n));
  }
  void text(std::string_view s) {
    count(s.size());
    raw(base::as_bytes(s));
  }
  void long_text(std::string_view s) {
    number(static_cast<std::uint32_t>(s.size()));
    raw(base::as_bytes(s));
  }
  void raw(std::span<const std::uint8_t> bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }

 private:
  Bytes& out_;
};

// Reads what may be hostile: after the first overrun or bad value everything reads as zero or empty
// and complete() is false. Views point into the payload.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) noexcept : rest_(bytes) {}

  template <std::unsigned_integral T>
  T number() noexcept {
    const auto raw = take(sizeof(T));
    T value = 0;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      value = static_cast<T>(value | static_cast<T>(static_cast<T>(raw[i]) << (8 * i)));
    }
    return value;
  }
  std::uint8_t u8() noexcept { return number<std::uint8_t>(); }
  std::int64_t i64() noexcept { return static_cast<std::int64_t>(number<std::uint64_t>()); }
  bool flag() noexcept { return u8_below(2) == 1; }
  // A byte that must be less than `end`.
  std::uint8_t u8_below(unsigned end) noexcept {
    const std::uint8_t value = u8();
    if (value < end) return value;
    spoil();
    return 0;
  }
  // -1, which stands for none, or a number that must be less than `end`.
  std::int32_t i32_or_none(std::int64_t end) noexcept {
    const auto value = static_cast<std::int32_t>(number<std::uint32_t>());
    if (value >= -1 && value < end) return value;
    spoil();
    return -1;
  }
  // How many elements follow, each of at least `least` bytes: a count that the rest of the payload
  // can't hold is refused before anything is allocated for it.
  std::size_t count(std::size_t least, std::size_t most = 0xffff) noexcept {
    const std::size_t n = number<std::uint16_t>();
    if (n <= most && n * least <= rest_.size()) return n;
    spoil();
    return 0;
  }
  // At most `most` bytes.
  std::string_view text(std::size_t most = 0xffff) noexcept {
    const std::size_t n = number<std::uint16_t>();
    if (n <= most) return base::as_text(take(n));
    spoil();
    return {};
  }
  std::string_view long_text() noexcept { return base::as_text(take(number<std::uint32_t>())); }
  std::span<const std::uint8_t> raw(std::size_t n) noexcept { return take(n); }

  void spoil() noexcept {
    good_ = false;
    rest_ = {};
  }
  // True when everything was read well and nothing is left.
  [[nodiscard]] bool complete() const noexcept { return good_ && rest_.empty(); }

 private:
  std::span<const std::uint8_t> take(std::size_t n) noexcept {
    if (n > rest_.size()) {
      spoil();
      return {};
    }
    const auto head = rest_.first(n);
    rest_ = rest_.subspan(n);
    return head;
  }

  std::span<const std::uint8_t> rest_;
  bool good_ = true;
};

}  // namespace cardvault::wire
