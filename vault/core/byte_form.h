// Values as bytes for the store: big-endian numbers, short text with its length in front.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace cardvault::core {

class ByteWriter {
 public:
  template <class T>
  void number(T value) {
    static_assert(std::is_unsigned_v<T>);
    for (std::size_t i = sizeof(T); i-- > 0;) {
      bytes_.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i)));
    }
  }
  void raw(std::span<const std::uint8_t> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  // At most 255 bytes of text.
  void text(std::string_view text) {
    number(static_cast<std::uint8_t>(text.size()));
    bytes_.insert(bytes_.end(), text.begin(), text.end());
  }
  void reserve(std::size_t size) { bytes_.reserve(size); }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::vector<std::uint8_t> take() && { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
};

// Reads what ByteWriter wrote. After the first read past the end everything is zero or empty and
// ok() is false. Does not own the bytes.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

  template <class T>
  [[nodiscard]] T number() {
    static_assert(std::is_unsigned_v<T>);
    std::uint64_t value = 0;
    for (const std::uint8_t byte : raw(sizeof(T))) value = value << 8 | byte;
    return static_cast<T>(value);
  }
  [[nodiscard]] std::span<const std::uint8_t> raw(std::size_t size) {
    if (size > rest_.size()) {
      rest_ = {};
      ok_ = false;
      return {};
    }
    const auto out = rest_.first(size);
    rest_ = rest_.subspan(size);
    return out;
  }
  [[nodiscard]] std::string_view text() {
    const auto bytes = raw(number<std::uint8_t>());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] bool at_end() const noexcept { return ok_ && rest_.empty(); }
  [[nodiscard]] std::span<const std::uint8_t> rest() const noexcept { return rest_; }

 private:
  std::span<const std::uint8_t> rest_;
  bool ok_ = true;
};

}  // namespace cardvault::core
