#include "vault/core/sealed_card.h"

#include "vault/core/claims.h"

namespace cardvault::core {

using base::Code;

base::Result<std::shared_ptr<const Recipient>> card_recipient(Services& services,
                                                              std::string_view name) {
  auto recipient = services.recipients.find(name);
  if (!recipient) return base::fail(Code::kRecipientUnknown, "detokenize.recipient");
  if (!recipient->may(RecipientUse::kReveal)) {
    return base::fail(Code::kRecipientNotAllowed, "detokenize.recipient");
  }
  const std::int64_t now = services.clock.now_ms();
  if (recipient->current(now).not_after_ms <= now) {
    return base::fail(Code::kRecipientExpired, "detokenize.recipient");
  }
  return recipient;
}

base::Result<std::string> seal_card_to(Services& services, const Recipient& to, const CardRow& row,
                                       const OpenedCard& card, const DetokenizeItem& request) {
  const std::int64_t now = services.clock.now_ms();
  auto claims = Claims::begin(services, now, now + kSealedCardLifeMs);
  if (!claims) return std::unexpected(claims.error());
  claims->text("aud", to.name);
  claims->text("token", Token::from_store(row.id, row.number).text());
  claims->text("pan", card.pan.expose());
  if (const std::string expiry = card.expiry.text(); !expiry.empty()) {
    claims->text("expiry", expiry);
  }
  claims->text("purpose", request.purpose);
  if (request.context) claims->context(*request.context);
  return services.sealer.seal(to, "cardvault-card+jwt", std::move(*claims).take(), now);
}

}  // namespace cardvault::core
