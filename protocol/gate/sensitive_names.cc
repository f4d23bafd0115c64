#include "protocol/gate/sensitive_names.h"

#include <algorithm>
#include <array>

#include "protocol/gate/ascii.h"

namespace cardvault::gate {
namespace {

// Sorted; lower case without separators. The schemes' own names (CVV2 Visa, CVC2 Mastercard, CID
// Amex and Discover, CAV2 JCB, CVN2 UnionPay, CVE Elo, CVD Canada) and the usual spellings.
constexpr auto kNames = std::to_array<std::string_view>({
    "cardcode",
    "cardcvc",
    "cardcvv",
    "cardcvv2",
    "cardidentificationnumber",
    "cardpin",
    "cardsecuritycode",
    "cardvalidationcode",
    "cardverification",
    "cardverificationcode",
    "cardverificationnumber",
    "cardverificationvalue",
    "cav",
    "cav2",
    "cid",
    "csc",
    "csc2",
    "cvc",
    "cvc2",
    "cvccode",
    "cvd",
    "cvd2",
    "cve",
    "cvn",
    "cvn2",
    "cvv",
    "cvv1",
    "cvv2",
    "cvvcode",
    "dcvv",
    "encryptedpin",
    "fulltrack",
    "icvv",
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

}  // namespace

bool is_sensitive_name(std::string_view name) noexcept {
  std::array<char, kLongest> plain{};
  std::size_t size = 0;
  for (const char c : name) {
    if (c == '_' || c == '-' || c == '.' || c == ' ') continue;
    if (size == plain.size()) return false;
    plain[size++] = lower(c);
  }
  return std::ranges::binary_search(kNames, std::string_view(plain.data(), size));
}

}  // namespace cardvault::gate
