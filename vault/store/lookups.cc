#include "vault/store/lookups.h"

#include "vault/store/packed_texts.h"
#include "vault/store/row_reading.h"

namespace cardvault::store {
namespace {

#define CARD_COLUMNS                                                                          \
  "c.token, c.number, c.customer, c.customer_id, c.suite, c.iv, c.ciphertext, c.key_version," \
  "c.fp, c.fp_version, c.last4, c.bin, c.digits, c.brand, c.country, c.currency, c.expiry,"   \
  "c.created_ms, c.expires_ms, c.frozen, c.metadata "
#define CUSTOMER_COLUMNS                                                     \
  "row, id, name_fp, name_fp_version, name_suite, name_iv, name_ciphertext," \
  "name_key_version, frozen, day, day_used, month_start, month_used "

bool read_card(const Query& query, core::CardRow& card) {
  if (!query.fixed(0, card.id.bytes) || !query.fixed(3, card.customer_id) ||
      !read_sealed(query, 4, card.sealed) || !query.fixed(8, card.fp)) {
    return false;
  }
  card.number = query.integer(1);
  card.customer = query.integer(2);
  card.key_version = narrow<std::uint32_t>(query, 7);
  card.fp_version = narrow<std::uint32_t>(query, 9);
  card.last4 = query.text(10);
  card.bin = query.text(11);
  card.digits = narrow<std::uint8_t>(query, 12);
  card.brand = query.text(13);
  card.country = query.text(14);
  card.currency = query.text(15);
  card.expiry.months = narrow<std::uint16_t>(query, 16);
  card.created_ms = query.integer(17);
  card.expires_ms = query.integer(18);
  card.frozen = query.integer(19) != 0;
  if (query.blob(20).empty()) return true;
  auto metadata = unpack_metadata(query.blob(20));
  if (!metadata) return false;
  card.metadata = std::move(*metadata);
  return true;
}

bool read_customer(const Query& query, core::CustomerRow& customer) {
  if (!query.fixed(1, customer.id) || !query.fixed(2, customer.name_fp) ||
      !read_sealed(query, 4, customer.name)) {
    return false;
  }
  customer.row = query.integer(0);
  customer.name_fp_version = narrow<std::uint32_t>(query, 3);
  customer.name_key_version = narrow<std::uint32_t>(query, 7);
  customer.frozen = query.integer(8) != 0;
  customer.day = narrow<std::uint32_t>(query, 9);
  customer.day_used = narrow<std::uint32_t>(query, 10);
  customer.month_start = narrow<std::uint32_t>(query, 11);
  customer.month_used = narrow<std::uint32_t>(query, 12);
  return true;
}

bool read_token(const Query& query, core::TokenId& id) { return query.fixed(0, id.bytes); }

bool read_client(const Query& query, core::Client& client) {
  client.id = query.text(0);
  client.spki_sha256 = query.text(1);
  client.san = query.text(2);
  client.permissions.bits = narrow<std::uint32_t>(query, 3);
  client.rate_per_s = narrow<std::uint32_t>(query, 5);
  client.reveals_per_hour = narrow<std::uint32_t>(query, 6);
  client.reveals_per_day = narrow<std::uint32_t>(query, 7);
  client.revoked = query.integer(8) != 0;
  client.frozen = query.integer(9) != 0;
  client.created_ms = query.integer(10);
  auto purposes = read_texts(query.blob(4));
  if (purposes) client.purposes = std::move(*purposes);
  return purposes.has_value();
}

bool read_key(const Query& query, core::KeyRow& key) {
  const auto purpose = query.integer(0);
  const auto state = query.integer(2);
  if (purpose < 0 || purpose >= static_cast<std::int64_t>(core::kKeyPurposes)) return false;
  if (state < 0 || state > static_cast<std::int64_t>(core::KeyState::kDestroyed)) return false;
  key.key = {static_cast<core::KeyPurpose>(purpose), narrow<std::uint32_t>(query, 1)};
  key.state = static_cast<core::KeyState>(state);
  key.kcv = query.text(3);
  key.created_ms = query.integer(4);
  key.invocations_reserved = narrow<std::uint64_t>(query, 5);
  return true;
}

}  // namespace

Lookups::Lookups(Connection& db)
    : card_(db, "SELECT " CARD_COLUMNS "FROM cards c WHERE token=?"),
      numeric_(db, "SELECT token FROM numeric WHERE number=?"),
      customer_(db, "SELECT " CUSTOMER_COLUMNS "FROM customers WHERE name_fp=?"),
      customer_by_row_(db, "SELECT " CUSTOMER_COLUMNS "FROM customers WHERE row=?"),
      card_of_(db, "SELECT token FROM card_index WHERE customer=? AND fp=?"),
      count_(db, "SELECT count(*) FROM card_index WHERE customer=?"),
      count_ended_(db,
                   "SELECT count(*) FROM card_index i CROSS JOIN cards c ON c.token=i.token "
                   "WHERE i.customer=? AND c.expires_ms>0 AND c.expires_ms<=?"),
      cards_(db, "SELECT " CARD_COLUMNS
                 "FROM card_index i CROSS JOIN cards c ON c.token=i.token "
                 "WHERE i.customer=? ORDER BY c.token"),
      refused_(db, "SELECT 1 FROM refused_pans WHERE customer=? AND fp=? AND day>=?"),
      idempotency_(db,
                   "SELECT body_fp, fp_version, answer, created_ms FROM idempotency "
                   "WHERE client=? AND request_key=?"),
      clients_(db,
               "SELECT id, spki_sha256, san, permissions, purposes, rate_per_s,"
               "reveals_per_hour, reveals_per_day, revoked, frozen, created_ms FROM clients "
               "ORDER BY id"),
      keys_(db,
            "SELECT purpose, version, state, kcv, created_ms, invocations_reserved FROM keys "
            "ORDER BY purpose, version"),
      expired_(db, "SELECT " CARD_COLUMNS
                   "FROM cards c WHERE expires_ms>0 AND expires_ms<? ORDER BY expires_ms LIMIT ?"),
      value_(db, "SELECT value FROM named_values WHERE name=?") {}

base::Result<std::optional<core::CardRow>> Lookups::card(const core::TokenId& id) {
  Query query(card_);
  return read_one<core::CardRow>(query.bind(id.bytes), read_card, "look up card");
}

base::Result<std::optional<core::TokenId>> Lookups::numeric(std::int64_t number) {
  Query query(numeric_);
  return read_one<core::TokenId>(query.bind(number), read_token, "look up number");
}

base::Result<std::optional<core::CustomerRow>> Lookups::customer(const core::Fingerprint& name_fp) {
  Query query(customer_);
  return read_one<core::CustomerRow>(query.bind(name_fp), read_customer, "look up customer");
}

base::Result<std::optional<core::CustomerRow>> Lookups::customer_by_row(std::int64_t row) {
  Query query(customer_by_row_);
  return read_one<core::CustomerRow>(query.bind(row), read_customer, "look up customer");
}

base::Result<std::optional<core::TokenId>> Lookups::card_of(std::int64_t customer,
                                                            const core::Fingerprint& fp) {
  Query query(card_of_);
  return read_one<core::TokenId>(query.bind(customer).bind(fp), read_token, "look up card index");
}

base::Result<std::uint32_t> Lookups::count_cards(std::int64_t customer) {
  Query query(count_);
  const auto row = query.bind(customer).step("count cards");
  if (!row) return std::unexpected(row.error());
  return narrow<std::uint32_t>(query, 0);
}

base::Result<std::uint32_t> Lookups::count_ended_cards(std::int64_t customer, std::int64_t now_ms) {
  Query query(count_ended_);
  const auto row = query.bind(customer).bind(now_ms).step("count ended cards");
  if (!row) return std::unexpected(row.error());
  return narrow<std::uint32_t>(query, 0);
}

base::Result<std::vector<core::CardRow>> Lookups::cards(std::int64_t customer) {
  Query query(cards_);
  return read_all<core::CardRow>(query.bind(customer), read_card, "list cards");
}

base::Result<bool> Lookups::pan_refused(std::int64_t customer, const core::Fingerprint& fp,
                                        std::uint32_t since_day) {
  Query query(refused_);
  return query.bind(customer).bind(fp).bind(since_day).step("look up refused PAN");
}

base::Result<std::optional<core::IdempotencyRow>> Lookups::idempotency(std::string_view client,
                                                                       std::string_view key) {
  Query query(idempotency_);
  const auto row = query.bind(client).bind(key).step("look up idempotency key");
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::nullopt;
  core::IdempotencyRow found;
  if (!query.fixed(0, found.body_fp)) return damaged("read idempotency row");
  found.fp_version = narrow<std::uint32_t>(query, 1);
  found.answer = query.bytes(2);
  found.created_ms = query.integer(3);
  return found;
}

base::Result<std::vector<core::Client>> Lookups::clients() {
  Query query(clients_);
  return read_all<core::Client>(query, read_client, "list clients");
}

base::Result<std::vector<core::KeyRow>> Lookups::keys() {
  Query query(keys_);
  return read_all<core::KeyRow>(query, read_key, "list keys");
}

base::Result<std::vector<core::CardRow>> Lookups::expired_cards(std::int64_t now_ms,
                                                                std::uint32_t limit) {
  Query query(expired_);
  return read_all<core::CardRow>(query.bind(now_ms).bind(limit), read_card, "list expired cards");
}

base::Result<std::optional<std::vector<std::uint8_t>>> Lookups::value(std::string_view name) {
  Query query(value_);
  const auto row = query.bind(name).step("look up value");
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::nullopt;
  return query.bytes(0);
}

}  // namespace cardvault::store
