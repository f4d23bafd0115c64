#include "vault/core/canary.h"

#include <algorithm>
#include <array>

#include "vault/core/card_row.h"
#include "vault/core/index_fingerprints.h"
#include "vault/core/luhn.h"

namespace cardvault::core {

using base::Code;

namespace {

constexpr std::size_t kMinPrefix = 4;
constexpr std::size_t kMaxPrefix = 11;
constexpr std::size_t kUsualDigits = 16;

bool is_prefix(std::string_view bin) {
  return bin.size() >= kMinPrefix && bin.size() <= kMaxPrefix &&
         std::ranges::all_of(bin, [](char c) { return c >= '0' && c <= '9'; });
}

// A digit of a random byte, each equally likely; none from the bytes that would favour some.
bool digit_of(std::uint8_t byte, char& out) {
  constexpr std::uint8_t kFair = 250;
  if (byte >= kFair) return false;
  out = static_cast<char>('0' + byte % 10);
  return true;
}

char check_digit(std::string_view digits) {
  LuhnSums sums;
  for (const char c : digits) sums.add(static_cast<unsigned>(c - '0'));
  sums.add(0);
  return static_cast<char>('0' + (10 - sums.sum() % 10) % 10);
}

}  // namespace

base::Result<CardRow> make_canary(Services& services, std::string_view bin, TokenFormat format) {
  if (!is_prefix(bin)) return base::fail(Code::kInvalidArgument, "canary.bin");
  const auto bins = services.bins.load();
  const auto issuer = bins->find(bin);
  if (!issuer) return base::fail(Code::kBinUnknown, "canary.bin");
  const std::size_t size = issuer->length != 0 ? issuer->length : kUsualDigits;
  if (size < Pan::kMinDigits || size > Pan::kMaxDigits) {
    return base::fail(Code::kInvalidArgument, "canary.length");
  }

  std::array<char, Pan::kMaxDigits> digits{};
  std::ranges::copy(bin, digits.begin());
  std::size_t at = bin.size();
  while (at < size - 1) {
    std::array<std::uint8_t, 32> random{};
    if (auto ok = services.crypto.random(random); !ok) return std::unexpected(ok.error());
    for (const std::uint8_t byte : random) {
      if (at < size - 1 && digit_of(byte, digits[at])) ++at;
    }
    base::wipe(random.data(), random.size());
  }
  digits[at] = check_digit({digits.data(), at});
  TokenizeItem item;
  item.pan = base::SecretText(std::string_view(digits.data(), size));
  base::wipe(digits.data(), digits.size());

  const auto card = check_card(item, *services.settings.load(), *bins, services.clock.now_ms());
  if (!card) return std::unexpected(card.error());
  if (card->refused) return base::fail(*card->refused, "canary.policy");
  const auto fps = pan_fingerprints(services, card->pan);
  if (!fps) return std::unexpected(fps.error());
  return new_card_row(
      services, *card,
      {.fp = fps->active, .fp_version = fps->version, .customer_id = {}, .format = format});
}

}  // namespace cardvault::core
