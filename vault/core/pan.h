// A primary account number (PAN, ISO/IEC 7812-1).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "vault/base/result.h"

namespace cardvault::core {

// 12 to 19 digits, held in place, move-only, wiped on destruction and move. Not thread-safe.
class Pan {
 public:
  static constexpr std::size_t kMinDigits = 12;
  static constexpr std::size_t kMaxDigits = 19;

  // Reads digits, with single spaces or dashes allowed between them ("4111 1111-1111 1111").
  // Returns kInvalidPan on any other character, or a count outside 12..19. Luhn is not checked
  // here: a BIN row may say that its numbers have no check digit (see luhn_valid).
  [[nodiscard]] static base::Result<Pan> parse(std::string_view text);

  Pan(Pan&& other) noexcept;
  Pan& operator=(Pan&& other) noexcept;
  Pan(const Pan&) = delete;             // a PAN has one owner
  Pan& operator=(const Pan&) = delete;  // a PAN has one owner
  ~Pan();

  // The digits; only files named in the layering test may call this.
  [[nodiscard]] std::string_view expose() const noexcept { return {digits_.data(), size_}; }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool luhn_valid() const noexcept;  // ISO/IEC 7812-1 annex B
  [[nodiscard]] std::string last4() const;
  // Leading digits that may be kept in the clear: 0, 6, or 8 (8 only for 16 digits or more,
  // PCI SSC FAQ 1091); shorter numbers give 6.
  [[nodiscard]] std::string bin_digits(unsigned allowed) const;

 private:
  Pan() = default;
  std::array<char, kMaxDigits> digits_{};
  std::uint8_t size_ = 0;
};

// Luhn over a string of digits (ISO/IEC 7812-1 annex B).
[[nodiscard]] bool luhn_valid(std::string_view digits) noexcept;

// True when text holds a run of 12..19 digits (single spaces and dashes between them allowed) that
// passes Luhn: such text must not be stored in a field that is kept in the clear or found by.
// A PAN begins and ends with a group of the run's digits ("order 12 4111 1111 1111 1111"); in runs
// longer than 19 digits it may begin and end anywhere. Phone numbers (11 digits) pass; of other
// numbers with 12 to 19 digits (a Kazakh IIN, an order number) one in ten passes Luhn by accident
// and is refused: nothing tells it from a PAN. Numeric tokens fail Luhn and pass.
[[nodiscard]] bool contains_pan(std::string_view text) noexcept;

// "411111******1111": at most the BIN and the last four digits (PCI DSS 3.4.1). `bin` may be empty.
[[nodiscard]] std::string mask_pan(std::string_view bin, std::string_view last4,
                                   std::size_t digits);

}  // namespace cardvault::core
