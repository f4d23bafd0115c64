// Is this a card that may be stored? Form, check digit, expiry, issuer: everything short of the
// HSM.
#pragma once

#include <optional>
#include <string>

#include "vault/base/result.h"
#include "vault/core/expiry.h"
#include "vault/core/pan.h"
#include "vault/core/request.h"
#include "vault/core/settings.h"

namespace cardvault::core {

struct CheckedCard {
  Pan pan;
  Expiry expiry;
  std::string brand, country, currency;
  // The PAN is one, but the policy refuses it (issuer, currency, expiry): such an attempt still
  // counts against the customer's budget of distinct PANs.
  std::optional<base::Code> refused;
};

// Errors are about the form: kInvalidPan, kInvalidExpiry, kInvalidMetadata, kPanInField,
// kSensitiveAuthenticationData, kInvalidCustomer, kInvalidTtl.
[[nodiscard]] base::Result<CheckedCard> check_card(const TokenizeItem& item,
                                                   const Settings& settings, const BinTable& bins,
                                                   std::int64_t now_ms);

// Is the number's check digit right, or does its row of the BIN table say that it has none?
[[nodiscard]] bool check_digit_fits(const Pan& pan, const BinTable& bins);

// A customer's identifier: 1..128 bytes of UTF-8 without control characters, and not a card number
// (kPanInField). "+" and at most 13 digits is a phone number (E.164), even where Luhn fits by
// chance.
[[nodiscard]] base::Result<void> check_customer(std::string_view customer);

// At most 8 entries and 512 bytes; keys [A-Za-z0-9_.-]{1,32}; no card number in either; no key that
// names sensitive authentication data (PCI DSS 3.3.1).
[[nodiscard]] base::Result<void> check_metadata(const Metadata& metadata);

}  // namespace cardvault::core
