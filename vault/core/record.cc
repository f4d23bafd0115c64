#include "vault/core/record.h"

#include <algorithm>
#include <array>

#include "vault/base/secret.h"
#include "vault/core/bound_encryption.h"
#include "vault/core/text_form.h"

namespace cardvault::core {

using base::Code;

namespace {

constexpr std::uint8_t kFormatVersion = 1;

void append_be(std::vector<std::uint8_t>& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

std::vector<std::uint8_t> name_aad(const CustomerRow& row, Suite suite) {
  std::vector<std::uint8_t> aad{kFormatVersion, static_cast<std::uint8_t>(suite)};
  aad.insert(aad.end(), row.id.begin(), row.id.end());
  append_be(aad, row.name_key_version, 4);
  return aad;
}

}  // namespace

std::vector<std::uint8_t> card_aad(const CardRow& row) {
  std::vector<std::uint8_t> aad;
  aad.reserve(46);
  aad.push_back(kFormatVersion);
  aad.push_back(static_cast<std::uint8_t>(row.sealed.suite));
  aad.insert(aad.end(), row.id.bytes.begin(), row.id.bytes.end());
  append_be(aad, static_cast<std::uint64_t>(row.number), 8);
  aad.insert(aad.end(), row.customer_id.begin(), row.customer_id.end());
  append_be(aad, row.key_version, 4);
  return aad;
}

base::Result<void> seal_card(Services& services, const Pan& pan, CardRow& row) {
  const KeyRef key = services.keys.get(KeyPurpose::kPanEnc);
  row.key_version = key.version;
  // Plaintext: expiry (2 bytes big-endian, months) ‖ the digits.
  std::array<std::uint8_t, 2 + Pan::kMaxDigits> plain{};
  plain[0] = static_cast<std::uint8_t>(row.expiry.months >> 8);
  plain[1] = static_cast<std::uint8_t>(row.expiry.months & 0xff);
  const std::string_view digits = pan.expose();
  std::ranges::copy(digits, plain.begin() + 2);
  auto sealed =
      encrypt_bound(services, key, std::span(plain.data(), 2 + digits.size()), [&](Suite suite) {
        row.sealed.suite = suite;
        return card_aad(row);
      });
  base::wipe(plain.data(), plain.size());
  if (!sealed) return std::unexpected(sealed.error());
  row.sealed = std::move(*sealed);
  return {};
}

base::Result<OpenedCard> open_card(Services& services, const CardRow& row) {
  auto plain =
      services.crypto.decrypt({KeyPurpose::kPanEnc, row.key_version}, row.sealed, card_aad(row));
  if (!plain) return std::unexpected(plain.error());
  if (plain->size() < 2) return base::fail(Code::kRecordDamaged, "record.open_card");
  const Expiry expiry{static_cast<std::uint16_t>(((*plain)[0] << 8) | (*plain)[1])};
  auto pan = Pan::parse(base::as_text(*plain).substr(2));
  if (!pan || pan->last4() != row.last4 || expiry != row.expiry) {
    return base::fail(Code::kRecordDamaged, "record.open_card");
  }
  return OpenedCard{std::move(*pan), expiry};
}

base::Result<void> seal_name(Services& services, std::string_view identifier, CustomerRow& row) {
  const KeyRef key = services.keys.get(KeyPurpose::kIdEnc);
  row.name_key_version = key.version;
  auto sealed = encrypt_bound(services, key, base::as_bytes(identifier),
                              [&](Suite suite) { return name_aad(row, suite); });
  if (!sealed) return std::unexpected(sealed.error());
  row.name = std::move(*sealed);
  return {};
}

base::Result<base::SecretBuffer> open_name(Services& services, const CustomerRow& row) {
  return services.crypto.decrypt({KeyPurpose::kIdEnc, row.name_key_version}, row.name,
                                 name_aad(row, row.name.suite));
}

std::string fingerprint_text(const Fingerprint& fp, std::uint32_t version) {
  return std::to_string(version) + ":" + to_hex(fp);
}

CardView card_view(const CardRow& row, std::int64_t now_ms) {
  CardView view;
  view.token = Token::from_store(row.id, row.number).text();
  view.masked = mask_pan(row.bin, row.last4, row.digits);
  view.last4 = row.last4;
  view.brand = row.brand;
  view.country = row.country;
  view.currency = row.currency;
  view.expiry = row.expiry.text();
  view.created_ms = row.created_ms;
  view.expires_ms = row.expires_ms;
  view.metadata = row.metadata;
  if (row.frozen) {
    view.status = CardStatus::kFrozen;
  } else if (row.expiry.expired(now_ms)) {
    view.status = CardStatus::kExpired;
  }
  return view;
}

}  // namespace cardvault::core
