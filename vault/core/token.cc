#include "vault/core/token.h"

#include <algorithm>

#include "vault/base/check.h"
#include "vault/core/luhn.h"

namespace cardvault::core {
namespace {

constexpr std::string_view kPrefix = "tok_";
constexpr std::string_view kCrockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kOpaqueCharacters = 26;  // 130 bits, of which the topmost two are zero
constexpr std::size_t kTimeBytes = 6;
constexpr std::size_t kIdRandomBytes = 10;
constexpr std::size_t kNumericDigits = 19;
constexpr std::size_t kChosenDigit = 14;  // the last random one makes the number fail Luhn
constexpr char kNumericFirst = '7';

__extension__ using Uint128 = unsigned __int128;

char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

Uint128 as_number(const TokenId& id) noexcept {
  Uint128 value = 0;
  for (const std::uint8_t byte : id.bytes) value = value << 8 | byte;
  return value;
}

TokenId make_id(std::int64_t now_ms, std::span<const std::uint8_t> random) {
  TokenId id;
  for (std::size_t i = 0; i < kTimeBytes; ++i) {
    id.bytes[i] = static_cast<std::uint8_t>(now_ms >> (8 * (kTimeBytes - 1 - i)));
  }
  std::copy_n(random.begin(), kIdRandomBytes, id.bytes.begin() + kTimeBytes);
  return id;
}

// A number below `limit` (at most 2^47) from 128 random bits: floor(random * limit / 2^128). Each
// value differs from its fair share by at most 2^-128, in all less than 2^-80: a rejection loop,
// which would need more random bytes, has nothing to add.
std::uint64_t reduce(std::uint64_t high, std::uint64_t low, std::uint64_t limit) noexcept {
  const Uint128 carried = Uint128{low} * limit >> 64;
  return static_cast<std::uint64_t>((Uint128{high} * limit + carried) >> 64);
}

std::uint64_t big_endian(std::span<const std::uint8_t> bytes) noexcept {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

// The digit for which a number that holds '0' at `at` would pass Luhn.
unsigned passing_digit(std::string_view digits, std::size_t at) noexcept {
  LuhnSums sums;
  for (const char c : digits) sums.add(static_cast<unsigned>(c - '0'));
  const bool doubled = (digits.size() - 1 - at) % 2 == 1;
  for (unsigned digit = 0; digit < 10; ++digit) {
    if ((sums.sum() + (doubled ? luhn_doubled(digit) : digit)) % 10 == 0) return digit;
  }
  return 0;  // not reached: doubling permutes the digits
}

// Uniform over all numbers of this form that fail Luhn: 13 digits free, and one of nine for the
// fourteenth.
std::int64_t make_number(std::string_view last4, std::span<const std::uint8_t> random) {
  constexpr std::uint64_t kTen13 = 10'000'000'000'000;
  // The first bits decide, and the id does not hold them; its own last six bytes only fill up what
  // the rounding needs.
  std::uint64_t drawn = reduce(
      big_endian(random.subspan(10, 8)),
      big_endian(random.subspan(18, 2)) << 48 | big_endian(random.subspan(4, 6)), 9 * kTen13);
  const auto choice = static_cast<unsigned>(drawn % 9);
  drawn /= 9;
  std::array<char, kNumericDigits> digits{};
  digits[0] = kNumericFirst;
  for (std::size_t i = kChosenDigit - 1; i >= 1; --i) {
    digits[i] = static_cast<char>('0' + drawn % 10);
    drawn /= 10;
  }
  digits[kChosenDigit] = '0';
  std::ranges::copy(last4, digits.begin() + kChosenDigit + 1);
  const unsigned passing = passing_digit({digits.data(), digits.size()}, kChosenDigit);
  digits[kChosenDigit] = static_cast<char>('0' + choice + (choice >= passing ? 1 : 0));

  std::int64_t number = 0;
  for (const char c : digits) number = number * 10 + (c - '0');
  return number;
}

bool parse_number(std::string_view text, std::int64_t& number) noexcept {
  if (text.size() != kNumericDigits || text.front() != kNumericFirst) return false;
  LuhnSums sums;
  number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    sums.add(static_cast<unsigned>(c - '0'));
    number = number * 10 + (c - '0');
  }
  return !sums.valid();
}

bool parse_opaque(std::string_view text, TokenId& id) noexcept {
  if (text.size() != kPrefix.size() + kOpaqueCharacters) return false;
  Uint128 value = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = upper(text[i]);
    if (i < kPrefix.size()) {
      if (c != upper(kPrefix[i])) return false;
      continue;
    }
    const std::size_t digit = kCrockford.find(c);
    if (digit == std::string_view::npos) return false;
    if (i == kPrefix.size() && digit > 7) return false;  // more than 128 bits
    value = value << 5 | digit;
  }
  for (std::size_t i = id.bytes.size(); i-- > 0; value >>= 8) {
    id.bytes[i] = static_cast<std::uint8_t>(value);
  }
  return true;
}

}  // namespace

Token Token::make(TokenFormat format, std::int64_t now_ms, std::string_view last4,
                  std::span<const std::uint8_t, kRandomBytes> random) {
  Token token;
  token.id_ = make_id(now_ms, random);
  if (format == TokenFormat::kNumeric) {
    CARDVAULT_CHECK(last4.size() == 4 &&
                    std::ranges::all_of(last4, [](char c) { return c >= '0' && c <= '9'; }));
    token.number_ = make_number(last4, random);
  }
  return token;
}

base::Result<Token> Token::parse(std::string_view text) {
  Token token;
  if (parse_opaque(text, token.id_) || parse_number(text, token.number_)) return token;
  return base::fail(base::Code::kInvalidToken, "Token::parse");
}

Token Token::from_store(const TokenId& id, std::int64_t number) {
  Token token;
  token.id_ = id;
  token.number_ = number;
  return token;
}

std::string Token::text() const {
  if (number_ != 0) return std::to_string(number_);
  std::string out(kPrefix);
  out.resize(kPrefix.size() + kOpaqueCharacters);
  Uint128 value = as_number(id_);
  for (std::size_t i = out.size(); i-- > kPrefix.size(); value >>= 5) {
    out[i] = kCrockford[static_cast<std::size_t>(value & 31)];
  }
  return out;
}

}  // namespace cardvault::core
