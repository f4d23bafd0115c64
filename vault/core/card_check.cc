#include "vault/core/card_check.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "vault/core/sensitive_names.h"
#include "vault/core/utf8.h"

namespace cardvault::core {

using base::Code;
using base::fail;

namespace {

constexpr std::uint32_t kMaxTtl = 315'360'000;  // ten years
constexpr std::size_t kMaxPhoneDigits = 13;

bool phone_number(std::string_view text) {
  return text.size() >= 2 && text.size() <= kMaxPhoneDigits + 1 && text.front() == '+' &&
         std::ranges::all_of(text.substr(1), [](unsigned char c) { return std::isdigit(c) != 0; });
}

bool check_digit_fits(const Pan& pan, const std::optional<BinInfo>& bin) {
  return (bin && !bin->luhn) || pan.luhn_valid();
}

std::optional<Code> policy_refusal(const CheckedCard& card, const std::optional<BinInfo>& bin,
                                   const CardPolicy& policy, std::int64_t now_ms) {
  if (card.expiry.known() && card.expiry.expired(now_ms)) return Code::kCardExpired;
  if (!bin) {
    if (policy.countries.empty() && policy.currencies.empty()) return std::nullopt;
    return Code::kBinUnknown;
  }
  if (!policy.country_allowed(card.country)) return Code::kCountryRefused;
  if (!policy.currency_allowed(card.currency)) return Code::kCurrencyRefused;
  return std::nullopt;
}

}  // namespace

base::Result<void> check_customer(std::string_view customer) {
  if (customer.empty() || customer.size() > kMaxCustomerBytes || !printable_utf8(customer)) {
    return fail(Code::kInvalidCustomer, "card_check.customer");
  }
  if (!phone_number(customer) && contains_pan(customer)) {
    return fail(Code::kPanInField, "card_check.customer");
  }
  return {};
}

base::Result<void> check_metadata(const Metadata& metadata) {
  std::size_t bytes = 0;
  if (metadata.size() > kMaxMetadataEntries) {
    return fail(Code::kInvalidMetadata, "card_check.metadata");
  }
  for (const auto& [key, value] : metadata) {
    bytes += key.size() + value.size();
    const bool plain = std::ranges::all_of(key, [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-';
    });
    if (contains_pan(key) || contains_pan(value)) {
      return fail(Code::kPanInField, "card_check.metadata");
    }
    if (is_sensitive_name(key)) {
      return fail(Code::kSensitiveAuthenticationData, "card_check.metadata");
    }
    if (key.empty() || key.size() > 32 || !plain || !printable_utf8(value)) {
      return fail(Code::kInvalidMetadata, "card_check.metadata");
    }
  }
  if (bytes > kMaxMetadataBytes) return fail(Code::kInvalidMetadata, "card_check.metadata");
  return {};
}

bool check_digit_fits(const Pan& pan, const BinTable& bins) {
  return check_digit_fits(pan, bins.find(pan.expose()));
}

base::Result<CheckedCard> check_card(const TokenizeItem& item, const Settings& settings,
                                     const BinTable& bins, std::int64_t now_ms) {
  auto pan = Pan::parse(item.pan.expose());
  if (!pan) return std::unexpected(pan.error());
  const auto bin = bins.find(pan->expose());
  if (!check_digit_fits(*pan, bin)) return fail(Code::kInvalidPan, "card_check.luhn");
  if (bin && bin->length != 0 && bin->length != pan->size()) {
    return fail(Code::kInvalidPan, "card_check.length");
  }
  Expiry expiry;
  if (!item.expiry.empty()) {
    auto parsed = Expiry::parse(item.expiry);
    if (!parsed) return std::unexpected(parsed.error());
    expiry = *parsed;
  }
  if (!item.customer.empty()) {
    if (auto ok = check_customer(item.customer.expose()); !ok) return std::unexpected(ok.error());
  }
  if (auto ok = check_metadata(item.metadata); !ok) return std::unexpected(ok.error());
  if (item.ttl_s > kMaxTtl) return fail(Code::kInvalidTtl, "card_check.ttl");

  CheckedCard card{std::move(*pan), expiry, "", "", "", std::nullopt};
  if (bin) {
    card.brand = !bin->scheme.empty() ? bin->scheme : bin->brand;
    card.country = bin->country;
    card.currency = bin->currency;
  }
  card.refused = policy_refusal(card, bin, settings.tokenize, now_ms);
  return card;
}

}  // namespace cardvault::core
