// Made-up cards and customers for load: no number of a real card.
#pragma once

#include <cstdint>
#include <random>
#include <span>

namespace cardvault::bench {

inline constexpr std::size_t kPanDigits = 16;
inline constexpr std::size_t kCustomerDigits = 11;

// Numbers that begin 4111 1111 (the demo's BIN row: issued in Kazakhstan in tenge) with a random
// tail and a Luhn digit, and customers that look like phone numbers. A customer gets at most
// kCardsEach cards, so the default limits (10 cards, 10 distinct numbers a day) stay far away; the
// cards of one customer come kApart cards after one another, as they would from people.
class CardStream {
 public:
  static constexpr std::uint64_t kCardsEach = 4;
  static constexpr std::uint64_t kApart = 4096;

  // Streams with different seeds practically never share a customer.
  explicit CardStream(std::uint64_t seed);
  // Writes the next card's digits and its customer's ("7…", 11 digits).
  void next(std::span<char, kPanDigits> pan, std::span<char, kCustomerDigits> customer);

 private:
  std::mt19937_64 random_;
  std::uint64_t first_customer_;
  std::uint64_t cards_ = 0;
};

}  // namespace cardvault::bench
