// How a card is encrypted: what is inside, and what its ciphertext is bound to (docs/store.md).
#pragma once

#include <string>
#include <vector>

#include "vault/base/result.h"
#include "vault/core/crypto.h"
#include "vault/core/expiry.h"
#include "vault/core/pan.h"
#include "vault/core/services.h"
#include "vault/core/store.h"

namespace cardvault::core {

// Associated data of a card: format version 1 ‖ suite ‖ token id ‖ numeric token (8 bytes
// big-endian, 0 for opaque) ‖ internal customer id ‖ key version (4 bytes big-endian). A row that
// was moved, swapped or edited doesn't decrypt.
[[nodiscard]] std::vector<std::uint8_t> card_aad(const CardRow& row);

// Encrypts PAN and row.expiry under the active pan-enc key into row.sealed and row.key_version.
// Errors of Crypto; kKeyExhausted and kOverloaded of the invocation meter.
[[nodiscard]] base::Result<void> seal_card(Services& services, const Pan& pan, CardRow& row);

struct OpenedCard {
  Pan pan;
  Expiry expiry;
};
// Decrypts. kRecordDamaged when ciphertext or bound fields were changed, or don't fit the row.
[[nodiscard]] base::Result<OpenedCard> open_card(Services& services, const CardRow& row);

// Encrypts a customer's identifier under id-enc, bound to the internal id and key version.
[[nodiscard]] base::Result<void> seal_name(Services& services, std::string_view identifier,
                                           CustomerRow& row);

// The identifier again. kRecordDamaged when ciphertext or id were changed.
[[nodiscard]] base::Result<base::SecretBuffer> open_name(Services& services,
                                                         const CustomerRow& row);

// "1:0123…": how events name a fingerprint.
[[nodiscard]] std::string fingerprint_text(const Fingerprint& fp, std::uint32_t version);

// What the holder's bank may see of a row.
[[nodiscard]] CardView card_view(const CardRow& row, std::int64_t now_ms);

[[nodiscard]] inline bool ttl_ended(const CardRow& row, std::int64_t now_ms) noexcept {
  return row.expires_ms != 0 && row.expires_ms <= now_ms;
}

}  // namespace cardvault::core
