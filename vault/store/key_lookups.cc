#include "vault/store/key_lookups.h"

#include <initializer_list>

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
      count_requests_(db, "SELECT count(*) FROM idempotency WHERE fp_version=?") {}

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

base::Result<std::uint64_t> KeyLookups::rows_under(core::KeyRef key) {
  const auto sum = [&](std::initializer_list<Statement*> counts) -> base::Result<std::uint64_t> {
    std::uint64_t rows = 0;
    for (Statement* count : counts) {
      Query query(*count);
      const auto found = query.bind(key.version).step("count rows by key");
      if (!found) return std::unexpected(found.error());
      rows += narrow<std::uint64_t>(query, 0);
    }
    return rows;
  };
  switch (key.purpose) {
    case KeyPurpose::kPanEnc:
      return sum({&count_cards_encrypted_});
    case KeyPurpose::kPanIndex:
      return sum({&count_cards_indexed_});
    case KeyPurpose::kIdIndex:
      return sum({&count_customers_indexed_, &count_requests_});
    case KeyPurpose::kIdEnc:
      return sum({&count_customers_encrypted_});
    case KeyPurpose::kOtpMac:
      return sum({&count_codes_});
    case KeyPurpose::kSecretEnc:
      return sum({&count_secrets_});
    case KeyPurpose::kSealSign:
    case KeyPurpose::kAuditSign:
      return std::uint64_t{0};
  }
  return std::uint64_t{0};
}

}  // namespace cardvault::store
