// A checked card as a new row of the store: token, ciphertext and what stands in the clear.
#pragma once

#include "vault/base/result.h"
#include "vault/core/card_check.h"
#include "vault/core/services.h"
#include "vault/core/store.h"

namespace cardvault::core {

// Whose card it is, and what it is found by.
struct NewCard {
  Fingerprint fp{};  // of the PAN
  std::uint32_t fp_version = 0;
  InternalId customer_id{};  // all zero: none
  TokenFormat format = TokenFormat::kOpaque;
};

// Makes a token from random bytes of the HSM and seals the card under it. The row's customer, TTL
// and metadata are the caller's to set. Errors: those of Crypto::random and seal_card().
[[nodiscard]] base::Result<CardRow> new_card_row(Services& services, const CheckedCard& card,
                                                 const NewCard& as);

}  // namespace cardvault::core
