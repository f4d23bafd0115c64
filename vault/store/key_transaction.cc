// SqliteTransaction's moving of rows to other keys.
#include <sqlite3.h>

#include "vault/base/check.h"
#include "vault/store/key_statements.h"
#include "vault/store/sqlite_transaction.h"

namespace cardvault::store {

using base::Code;

// An IV is never used twice, so it tells whether a ciphertext is still the same.
KeyStatements::KeyStatements(Connection& db)
    : move_card(db,
                "UPDATE cards SET suite=?, iv=?, ciphertext=?, key_version=?, fp=?, fp_version=? "
                "WHERE token=? AND iv=? AND key_version=? AND fp=? AND fp_version=?"),
      move_index(db,
                 "UPDATE card_index SET fp=?, fp_version=? WHERE customer=? AND fp=? AND token=?"),
      move_customer(db,
                    "UPDATE customers SET name_fp=?, name_fp_version=?, name_suite=?, name_iv=?,"
                    "name_ciphertext=?, name_key_version=? WHERE row=? AND name_iv=? AND "
                    "name_key_version=? AND name_fp=? AND name_fp_version=?"),
      move_secret(db,
                  "UPDATE secrets SET suite=?, iv=?, ciphertext=?, key_version=? "
                  "WHERE subject=? AND kind=? AND iv=? AND key_version=?") {}

base::Result<bool> SqliteTransaction::changed(Query& query, const char* operation) {
  CARDVAULT_CHECK(connection_.in_transaction());
  auto done = query.run(operation);
  if (!done && done.error().code == Code::kConflict)
    return base::fail(Code::kAlreadyExists, operation);
  if (!done) return std::unexpected(done.error());
  return sqlite3_changes64(connection_.handle()) != 0;
}

base::Result<bool> SqliteTransaction::replace_card(const core::CardRow& was,
                                                   const core::CardRow& now) {
  Query query(moves_.move_card);
  query.bind(static_cast<std::int64_t>(now.sealed.suite)).bind(now.sealed.iv);
  query.bind(now.sealed.ciphertext).bind(now.key_version).bind(now.fp).bind(now.fp_version);
  query.bind(was.id.bytes).bind(was.sealed.iv).bind(was.key_version).bind(was.fp);
  query.bind(was.fp_version);
  return changed(query, "move card");
}

base::Result<bool> SqliteTransaction::move_card(const core::CardRow& was,
                                                const core::CardRow& now) {
  auto moved = replace_card(was, now);
  if (!moved || !*moved) return moved;
  if (was.customer != 0 && was.fp != now.fp) {
    Query query(moves_.move_index);
    query.bind(now.fp).bind(now.fp_version).bind(was.customer).bind(was.fp).bind(was.id.bytes);
    moved = changed(query, "move card index");
    if (moved && !*moved) moved = base::fail(Code::kRecordDamaged, "card without index");
    if (!moved) {
      // Any other failure than these two ends the transaction anyway.
      if (auto undone = replace_card(now, was); !undone) return undone;
      return moved;
    }
  }
  ++writes_;
  return true;
}

base::Result<bool> SqliteTransaction::move_customer(const core::CustomerRow& was,
                                                    const core::CustomerRow& now) {
  Query query(moves_.move_customer);
  query.bind(now.name_fp).bind(now.name_fp_version);
  query.bind(static_cast<std::int64_t>(now.name.suite)).bind(now.name.iv).bind(now.name.ciphertext);
  query.bind(now.name_key_version).bind(was.row).bind(was.name.iv).bind(was.name_key_version);
  query.bind(was.name_fp).bind(was.name_fp_version);
  auto moved = changed(query, "move customer");
  if (moved && *moved) ++writes_;
  return moved;
}

base::Result<bool> SqliteTransaction::move_secret(const core::SecretRow& was,
                                                  const core::SecretRow& now) {
  Query query(moves_.move_secret);
  query.bind(static_cast<std::int64_t>(now.sealed.suite)).bind(now.sealed.iv);
  query.bind(now.sealed.ciphertext).bind(now.key_version).bind(was.subject);
  query.bind(static_cast<std::int64_t>(was.kind)).bind(was.sealed.iv).bind(was.key_version);
  auto moved = changed(query, "move secret");
  if (moved && *moved) ++writes_;
  return moved;
}

}  // namespace cardvault::store
