// The check digit of ISO/IEC 7812-1 annex B, digit by digit.
#pragma once

#include <cstdint>

namespace cardvault::core {

// What a digit adds to the sum where it is doubled. Arithmetic, not a branch: the same work for
// every digit.
[[nodiscard]] constexpr unsigned luhn_doubled(unsigned digit) noexcept {
  return 2 * digit - 9 * static_cast<unsigned>(digit > 4);
}

// Sums of digits read from the left, when it is not known yet which of them will be doubled: the
// last digit never is, the one before it is, and so on.
class LuhnSums {
 public:
  constexpr void add(unsigned digit) noexcept {
    const unsigned with_last_plain = doubled_last_ + digit;
    doubled_last_ = plain_last_ + luhn_doubled(digit);
    plain_last_ = with_last_plain;
  }
  // Were the digits so far the whole number: is its sum a multiple of ten?
  [[nodiscard]] constexpr bool valid() const noexcept { return plain_last_ % 10 == 0; }
  [[nodiscard]] constexpr unsigned sum() const noexcept { return plain_last_; }

 private:
  unsigned plain_last_ = 0;    // the last digit counts as it is
  unsigned doubled_last_ = 0;  // the last digit counts doubled
};

}  // namespace cardvault::core
