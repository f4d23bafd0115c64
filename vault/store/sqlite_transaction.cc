#include "vault/store/sqlite_transaction.h"

#include <algorithm>
#include <utility>

#include "vault/base/check.h"
#include "vault/store/packed_texts.h"

namespace cardvault::store {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kRefusedPanDays = 31;

std::int64_t number(core::Suite suite) { return static_cast<std::int64_t>(suite); }

}  // namespace

SqliteTransaction::SqliteTransaction(Connection& db)
    : WithLookups(db),
      connection_(db),
      insert_customer_(db,
                       "INSERT INTO customers(id, name_fp, name_fp_version, name_suite,"
                       "name_iv, name_ciphertext, name_key_version, frozen, day, day_used,"
                       "month_start, month_used) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"),
      update_customer_(db,
                       "UPDATE customers SET frozen=?, day=?, day_used=?, month_start=?,"
                       "month_used=? WHERE row=?"),
      insert_number_(db, "INSERT INTO numeric(number, token) VALUES(?,?)"),
      insert_card_(db,
                   "INSERT INTO cards(token, number, customer, customer_id, suite, iv,"
                   "ciphertext, key_version, fp, fp_version, last4, bin, digits, brand,"
                   "country, currency, expiry, created_ms, expires_ms, frozen, metadata) "
                   "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"),
      insert_index_(db,
                    "INSERT INTO card_index(customer, fp, token, fp_version) "
                    "VALUES(?,?,?,?)"),
      delete_number_(db, "DELETE FROM numeric WHERE number=?"),
      delete_card_(db, "DELETE FROM cards WHERE token=?"),
      delete_index_(db, "DELETE FROM card_index WHERE customer=? AND fp=?"),
      update_card_(db,
                   "UPDATE cards SET expiry=?, suite=?, iv=?, ciphertext=?, key_version=?,"
                   "expires_ms=?, frozen=?, metadata=? WHERE token=?"),
      add_refused_(db,
                   "INSERT INTO refused_pans(customer, fp, day) VALUES(?,?,?) "
                   "ON CONFLICT DO UPDATE SET day=excluded.day"),
      put_idempotency_(db,
                       "INSERT INTO idempotency(client, request_key, body_fp, fp_version,"
                       "answer, created_ms) VALUES(?,?,?,?,?,?) ON CONFLICT DO UPDATE SET "
                       "body_fp=excluded.body_fp, fp_version=excluded.fp_version,"
                       "answer=excluded.answer, created_ms=excluded.created_ms"),
      put_client_(db,
                  "INSERT OR REPLACE INTO clients(id, spki_sha256, san, permissions,"
                  "purposes, rate_per_s, reveals_per_hour, reveals_per_day, revoked, frozen,"
                  "created_ms) VALUES(?,?,?,?,?,?,?,?,?,?,?)"),
      put_key_(db,
               "INSERT OR REPLACE INTO keys(purpose, version, state, kcv, created_ms,"
               "invocations_reserved) VALUES(?,?,?,?,?,?)"),
      put_value_(db, "INSERT OR REPLACE INTO named_values(name, value) VALUES(?,?)"),
      expire_idempotency_(db,
                          "DELETE FROM idempotency WHERE (client, request_key) IN (SELECT "
                          "client, request_key FROM idempotency WHERE created_ms<? "
                          "ORDER BY created_ms LIMIT ?)"),
      expire_refused_(db,
                      "DELETE FROM refused_pans WHERE (customer, fp) IN (SELECT customer, fp "
                      "FROM refused_pans WHERE day<? ORDER BY day LIMIT ?)"),
      subjects_(db),
      moves_(db) {}

base::Result<void> SqliteTransaction::write(Query& query, const char* operation) {
  CARDVAULT_CHECK(connection_.in_transaction());
  auto done = query.run(operation);
  if (done) ++writes_;
  return done;
}

base::Result<void> SqliteTransaction::must_change(Query& query, const char* operation) {
  CARDVAULT_CHECK(connection_.in_transaction());
  if (auto done = query.run(operation); !done) return done;
  if (sqlite3_changes64(connection_.handle()) == 0) {
    return base::fail(base::Code::kConflict, operation);
  }
  ++writes_;
  return {};
}

base::Result<std::int64_t> SqliteTransaction::insert_customer(const core::CustomerRow& row) {
  Query query(insert_customer_);
  query.bind(row.id).bind(row.name_fp).bind(row.name_fp_version).bind(number(row.name.suite));
  query.bind(row.name.iv).bind(row.name.ciphertext).bind(row.name_key_version);
  query.bind(row.frozen).bind(row.day).bind(row.day_used).bind(row.month_start);
  query.bind(row.month_used);
  if (auto done = write(query, "insert customer"); !done) return std::unexpected(done.error());
  return sqlite3_last_insert_rowid(connection_.handle());
}

base::Result<void> SqliteTransaction::update_customer(const core::CustomerRow& row) {
  Query query(update_customer_);
  query.bind(row.frozen).bind(row.day).bind(row.day_used).bind(row.month_start);
  query.bind(row.month_used).bind(row.row);
  return must_change(query, "update customer");
}

base::Result<void> SqliteTransaction::insert_card_row(const core::CardRow& row) {
  const auto metadata = pack(row.metadata);
  Query query(insert_card_);
  query.bind(row.id.bytes).bind(row.number).bind(row.customer).bind(row.customer_id);
  query.bind(number(row.sealed.suite)).bind(row.sealed.iv).bind(row.sealed.ciphertext);
  query.bind(row.key_version).bind(row.fp).bind(row.fp_version).bind(row.last4).bind(row.bin);
  query.bind(row.digits).bind(row.brand).bind(row.country).bind(row.currency);
  query.bind(row.expiry.months).bind(row.created_ms).bind(row.expires_ms).bind(row.frozen);
  query.bind(metadata);
  return query.run("insert card");
}

base::Result<void> SqliteTransaction::insert_index_row(const core::CardRow& row) {
  Query query(insert_index_);
  return query.bind(row.customer)
      .bind(row.fp)
      .bind(row.id.bytes)
      .bind(row.fp_version)
      .run("insert card index");
}

base::Result<void> SqliteTransaction::insert_card(const core::CardRow& row) {
  CARDVAULT_CHECK(connection_.in_transaction());
  // The two that can collide come first and are taken back, so that a conflict leaves nothing.
  if (row.number != 0) {
    Query query(insert_number_);
    if (auto done = query.bind(row.number).bind(row.id.bytes).run("insert number"); !done) {
      return done;
    }
  }
  auto done = row.customer != 0 ? insert_index_row(row) : base::Result<void>();
  const bool indexed = done.has_value() && row.customer != 0;
  if (done) done = insert_card_row(row);
  if (done) ++writes_;
  // Any other failure ends the transaction anyway.
  if (done || done.error().code != base::Code::kConflict) return done;
  if (indexed) {
    Query query(delete_index_);
    if (auto undone = query.bind(row.customer).bind(row.fp).run("undo card index"); !undone) {
      return undone;
    }
  }
  if (row.number != 0) {
    Query query(delete_number_);
    if (auto undone = query.bind(row.number).run("undo number"); !undone) return undone;
  }
  return done;
}

base::Result<void> SqliteTransaction::delete_card(const core::CardRow& row) {
  {
    Query query(delete_card_);
    query.bind(row.id.bytes);
    if (auto done = must_change(query, "delete card"); !done) return done;
  }
  deleted_ = true;
  {
    Query query(subjects_.delete_canary);
    if (auto done = query.bind(row.id.bytes).run("delete canary"); !done) return done;
  }
  if (row.customer != 0) {
    Query query(delete_index_);
    if (auto done = query.bind(row.customer).bind(row.fp).run("delete card index"); !done) {
      return done;
    }
  }
  if (row.number == 0) return {};
  Query query(delete_number_);
  return query.bind(row.number).run("delete number");
}

base::Result<void> SqliteTransaction::update_card(const core::CardRow& row) {
  const auto metadata = pack(row.metadata);
  Query query(update_card_);
  query.bind(row.expiry.months).bind(number(row.sealed.suite)).bind(row.sealed.iv);
  query.bind(row.sealed.ciphertext).bind(row.key_version).bind(row.expires_ms).bind(row.frozen);
  query.bind(metadata).bind(row.id.bytes);
  return must_change(query, "update card");
}

base::Result<void> SqliteTransaction::add_refused_pan(std::int64_t customer,
                                                      const core::Fingerprint& fp,
                                                      std::uint32_t day) {
  Query query(add_refused_);
  query.bind(customer).bind(fp).bind(day);
  return write(query, "add refused PAN");
}

base::Result<void> SqliteTransaction::put_idempotency(std::string_view client, std::string_view key,
                                                      const core::IdempotencyRow& row) {
  Query query(put_idempotency_);
  query.bind(client).bind(key).bind(row.body_fp).bind(row.fp_version).bind(row.answer);
  query.bind(row.created_ms);
  return write(query, "put idempotency key");
}

base::Result<void> SqliteTransaction::put_client(const core::Client& client) {
  std::vector<std::uint8_t> purposes;
  for (const auto& purpose : client.purposes) append_text(purposes, purpose);
  Query query(put_client_);
  query.bind(client.id).bind(client.spki_sha256).bind(client.san).bind(client.permissions.bits);
  query.bind(purposes).bind(client.rate_per_s).bind(client.reveals_per_hour);
  query.bind(client.reveals_per_day).bind(client.revoked).bind(client.frozen);
  query.bind(client.created_ms);
  return write(query, "put client");
}

base::Result<void> SqliteTransaction::put_key(const core::KeyRow& key) {
  Query query(put_key_);
  query.bind(static_cast<std::int64_t>(key.key.purpose)).bind(key.key.version);
  query.bind(static_cast<std::int64_t>(key.state)).bind(key.kcv).bind(key.created_ms);
  query.bind(static_cast<std::int64_t>(key.invocations_reserved));
  return write(query, "put key");
}

base::Result<void> SqliteTransaction::put_value(std::string_view name,
                                                std::span<const std::uint8_t> value) {
  Query query(put_value_);
  query.bind(name).bind(value);
  return write(query, "put value");
}

base::Result<bool> SqliteTransaction::expire(std::int64_t now_ms, std::int64_t limit) {
  std::int64_t most = 0;
  const std::pair<Statement*, std::int64_t> sweeps[] = {
      {&expire_idempotency_, now_ms - kDayMs},
      {&expire_refused_, now_ms / kDayMs - kRefusedPanDays}};
  for (const auto& [statement, before] : sweeps) {
    Query query(*statement);
    if (auto done = query.bind(before).bind(limit).run("expire rows"); !done) {
      return std::unexpected(done.error());
    }
    most = std::max<std::int64_t>(most, sqlite3_changes64(connection_.handle()));
  }
  return most >= limit;
}

bool SqliteTransaction::take_deleted() noexcept { return std::exchange(deleted_, false); }

}  // namespace cardvault::store
