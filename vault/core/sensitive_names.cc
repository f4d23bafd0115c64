#include "vault/core/sensitive_names.h"

#include <algorithm>
#include <array>

#include "vault/base/ascii.h"

namespace cardvault::core {
namespace {

// Sorted; lower case, letters and digits only.
constexpr auto kNames = std::to_array<std::string_view>({
    "cardcode",
    "cardidentificationnumber",
    "cardpin",
    "cardsecuritycode",
    "cardvalidationcode",
    "cardverification",
    "cardverificationcode",
    "cardverificationnumber",
    "cardverificationvalue",
    "encryptedpin",
    "fulltrack",
    "magneticstripe",
    "magstripe",
    "pin",
    "pinblock",
    "pincode",
    "securitycode",
    "track",
    "track1",
    "track1data",
    "track2",
    "track2data",
    "track3",
    "trackdata",
    "validationcode",
    "verificationcode",
    "verificationvalue",
});
static_assert(std::ranges::is_sorted(kNames));

constexpr std::size_t kLongest = std::ranges::max(kNames, {}, &std::string_view::size).size();

// The schemes' own names of the code (CVV Visa, CVC Mastercard, CID Amex and Discover, CAV JCB, CVN
// UnionPay, CVE Elo, CVD Canada). They come with a digit and a noun: "card_cvv2_code".
constexpr auto kCodes = std::to_array<std::string_view>(
    {"cav", "cid", "csc", "cvc", "cvd", "cve", "cvn", "cvv", "dcvv", "icvv"});
constexpr auto kNouns = std::to_array<std::string_view>({"code", "number", "value"});

bool names_a_code(std::string_view plain) noexcept {
  if (plain.starts_with("card")) plain.remove_prefix(4);
  for (const std::string_view noun : kNouns) {
    if (!plain.ends_with(noun)) continue;
    plain.remove_suffix(noun.size());
    break;
  }
  if (!plain.empty() && base::is_digit(plain.back())) plain.remove_suffix(1);
  return std::ranges::binary_search(kCodes, plain);
}

}  // namespace

bool is_sensitive_name(std::string_view name) noexcept {
  std::array<char, kLongest> letters{};
  std::size_t size = 0;
  for (const char c : name) {
    const bool ascii = static_cast<unsigned char>(c) < 0x80;
    if (ascii && !base::is_alpha(c) && !base::is_digit(c)) continue;
    if (size == letters.size()) return false;
    letters[size++] = base::lower(c);
  }
  const std::string_view plain(letters.data(), size);
  return std::ranges::binary_search(kNames, plain) || names_a_code(plain);
}

}  // namespace cardvault::core
