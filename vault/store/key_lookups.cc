#include "vault/store/key_lookups.h"

#include <utility>

#include "vault/store/row_reading.h"

namespace cardvault::store {
namespace {

using core::KeyPurpose;

bool read_token(const Query& query, core::TokenId& id) { return query.fixed(0, id.bytes); }

bool read_row(const Query& query, std::int64_t& row) {
  row = query.integer(0);
  return true;
}

bool read_secret_key(const Query& query, core::SecretKey& key) {
  const auto kind = query.integer(1);
  key = {query.integer(0), static_cast<core::SecretKind>(kind)};
  return kind >= 0 && kind <= static_cast<std::int64_t>(core::SecretKind::kQuickCode);
}

}  // namespace

KeyLookups::KeyLookups(Connection& db)
    : cards_encrypted_(db,
                       "SELECT token FROM cards WHERE token>? AND key_version=? "
                       "ORDER BY token LIMIT ?"),
      cards_indexed_(db,
                     "SELECT token FROM cards WHERE token>? AND fp_version=? "
                     "ORDER BY token LIMIT ?"),
      customers_encrypted_(db,
                           "SELECT row FROM customers WHERE row>? AND name_key_version=? "
                           "ORDER BY row LIMIT ?"),
      customers_indexed_(db,
                         "SELECT row FROM customers WHERE row>? AND name_fp_version=? "
                         "ORDER BY row LIMIT ?"),
      secrets_(db,
               "SELECT subject, kind FROM secrets WHERE (subject, kind)>(?,?) AND key_version=? "
               "ORDER BY subject, kind LIMIT ?"),
      count_cards_encrypted_(db, "SELECT count(*) FROM cards WHERE key_version=?"),
      count_cards_indexed_(db, "SELECT count(*) FROM cards WHERE fp_version=?"),
      count_customers_encrypted_(db, "SELECT count(*) FROM customers WHERE name_key_version=?"),
      count_customers_indexed_(db, "SELECT count(*) FROM customers WHERE name_fp_version=?"),
      count_secrets_(db, "SELECT count(*) FROM secrets WHERE key_version=?"),
      count_codes_(db, "SELECT count(*) FROM codes WHERE key_version=?"),
      count_requests_(db, "SELECT count(*) FROM idempotency WHERE fp_version=?"),
      count_certificates_(db,
                          "SELECT count(*) FROM client_certificates WHERE ca_version=? AND "
                          "revoked_ms=0") {}

base::Result<std::vector<core::TokenId>> KeyLookups::cards_under(core::KeyRef key,
                                                                 const core::TokenId& after,
                                                                 std::uint32_t limit) {
  if (key.purpose != KeyPurpose::kPanEnc && key.purpose != KeyPurpose::kPanIndex) return {};
  Query query(key.purpose == KeyPurpose::kPanEnc ? cards_encrypted_ : cards_indexed_);
  query.bind(after.bytes).bind(key.version).bind(limit);
  return read_all<core::TokenId>(query, read_token, "list cards by key");
}

base::Result<std::vector<std::int64_t>> KeyLookups::customers_under(core::KeyRef key,
                                                                    std::int64_t after,
                                                                    std::uint32_t limit) {
  if (key.purpose != KeyPurpose::kIdEnc && key.purpose != KeyPurpose::kIdIndex) return {};
  Query query(key.purpose == KeyPurpose::kIdEnc ? customers_encrypted_ : customers_indexed_);
  query.bind(after).bind(key.version).bind(limit);
  return read_all<std::int64_t>(query, read_row, "list customers by key");
}

base::Result<std::vector<core::SecretKey>> KeyLookups::secrets_under(core::KeyRef key,
                                                                     const core::SecretKey& after,
                                                                     std::uint32_t limit) {
  if (key.purpose != KeyPurpose::kSecretEnc) return {};
  Query query(secrets_);
  query.bind(after.subject).bind(static_cast<std::int64_t>(after.kind)).bind(key.version);
  return read_all<core::SecretKey>(query.bind(limit), read_secret_key, "list secrets by key");
}

base::Result<std::uint64_t> KeyLookups::count(Statement& statement, std::uint32_t version) {
  Query query(statement);
  const auto found = query.bind(version).step("count rows by key");
  if (!found) return std::unexpected(found.error());
  return narrow<std::uint64_t>(query, 0);
}

base::Result<core::KeyUse> KeyLookups::key_use(core::KeyRef key) {
  Statement* rows = nullptr;
  Statement* passing = nullptr;
  switch (key.purpose) {
    case KeyPurpose::kPanEnc:
      rows = &count_cards_encrypted_;
      break;
    case KeyPurpose::kPanIndex:
      rows = &count_cards_indexed_;
      break;
    case KeyPurpose::kIdIndex:
      rows = &count_customers_indexed_;
      passing = &count_requests_;
      break;
    case KeyPurpose::kIdEnc:
      rows = &count_customers_encrypted_;
      break;
    case KeyPurpose::kOtpMac:
      passing = &count_codes_;
      break;
    case KeyPurpose::kSecretEnc:
      rows = &count_secrets_;
      break;
    case KeyPurpose::kClientCa:
      passing = &count_certificates_;
      break;
    case KeyPurpose::kSealSign:
    case KeyPurpose::kAuditSign:
      break;
  }
  core::KeyUse use;
  for (const auto& [statement, into] : {std::pair(rows, &use.rows), {passing, &use.passing}}) {
    if (statement == nullptr) continue;
    const auto found = count(*statement, key.version);
    if (!found) return std::unexpected(found.error());
    *into = *found;
  }
  return use;
}

}  // namespace cardvault::store
