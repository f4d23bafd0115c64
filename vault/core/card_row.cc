#include "vault/core/card_row.h"

#include <array>

#include "vault/core/record.h"

namespace cardvault::core {

base::Result<CardRow> new_card_row(Services& services, const CheckedCard& card, const NewCard& as) {
  std::array<std::uint8_t, Token::kRandomBytes> random{};
  if (auto ok = services.crypto.random(random); !ok) return std::unexpected(ok.error());
  CardRow row;
  row.created_ms = services.clock.now_ms();
  row.last4 = card.pan.last4();
  const Token token = Token::make(as.format, row.created_ms, row.last4, random);
  row.id = token.id();
  row.number = token.number();
  row.customer_id = as.customer_id;
  row.fp = as.fp;
  row.fp_version = as.fp_version;
  row.bin = card.pan.bin_digits(services.settings.load()->bin_digits_stored);
  row.digits = static_cast<std::uint8_t>(card.pan.size());
  row.brand = card.brand;
  row.country = card.country;
  row.currency = card.currency;
  row.expiry = card.expiry;
  if (auto ok = seal_card(services, card.pan, row); !ok) return std::unexpected(ok.error());
  return row;
}

}  // namespace cardvault::core
