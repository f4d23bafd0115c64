// A card as its recipient gets it: claims signed by the vault, sealed to the recipient.
#pragma once

#include <memory>
#include <string>

#include "vault/core/record.h"
#include "vault/core/services.h"

namespace cardvault::core {

// How long a sealed card is good for: as long as a code, for a payment takes no longer.
inline constexpr std::int64_t kSealedCardLifeMs = 900'000;

// The recipient that the request names. kRecipientUnknown, kRecipientNotAllowed (not for cards),
// kRecipientExpired.
[[nodiscard]] base::Result<std::shared_ptr<const Recipient>> card_recipient(Services& services,
                                                                            std::string_view name);

// JWE compact with the claims token, pan, expiry, purpose and context (docs/recipients.md).
// Errors: those of Sealer and Claims.
[[nodiscard]] base::Result<std::string> seal_card_to(Services& services, const Recipient& to,
                                                     const CardRow& row, const OpenedCard& card,
                                                     const DetokenizeItem& request);

}  // namespace cardvault::core
