#include "tests/bench/card_stream.h"

#include <algorithm>
#include <string_view>

namespace cardvault::bench {
namespace {

constexpr std::string_view kBin = "41111111";
constexpr std::uint64_t kCustomers = 10'000'000'000;  // ten digits after the country's 7

void write_digits(std::span<char> out, std::uint64_t number) {
  for (auto digit = out.rbegin(); digit != out.rend(); ++digit, number /= 10) {
    *digit = static_cast<char>('0' + number % 10);
  }
}

// ISO/IEC 7812-1 annex B, over all digits but the last.
char luhn_digit(std::span<const char> digits) {
  int sum = 0;
  bool doubled = true;
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, doubled = !doubled) {
    const int value = (*digit - '0') * (doubled ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return static_cast<char>('0' + (10 - sum % 10) % 10);
}

}  // namespace

CardStream::CardStream(std::uint64_t seed)
    : random_(seed), first_customer_(random_() % kCustomers) {}

void CardStream::next(std::span<char, kPanDigits> pan, std::span<char, kCustomerDigits> customer) {
  std::ranges::copy(kBin, pan.begin());
  write_digits(pan.subspan(kBin.size(), kPanDigits - 1 - kBin.size()), random_() % 10'000'000);
  pan.back() = luhn_digit(pan.first<kPanDigits - 1>());
  const std::uint64_t round = cards_ / (kCardsEach * kApart);
  const std::uint64_t number = first_customer_ + round * kApart + cards_ % kApart;
  customer.front() = '7';
  write_digits(customer.subspan<1>(), number % kCustomers);
  ++cards_;
}

}  // namespace cardvault::bench
