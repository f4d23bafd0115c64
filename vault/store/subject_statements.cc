#include "vault/store/subject_statements.h"

namespace cardvault::store {

SubjectStatements::SubjectStatements(Connection& db)
    : put_code(db,
               "INSERT OR REPLACE INTO codes(subject, purpose, id, mac, context_mac, key_version,"
               "created_ms, expires_ms, state) VALUES(?,?,?,?,?,?,?,?,?)"),
      delete_code(db, "DELETE FROM codes WHERE subject=? AND purpose=?"),
      delete_ended_codes(db,
                         "DELETE FROM codes WHERE (subject, purpose) IN (SELECT subject, purpose "
                         "FROM codes WHERE expires_ms<? ORDER BY expires_ms LIMIT ?)"),
      delete_all_codes(db, "DELETE FROM codes"),
      put_guard(db,
                "INSERT OR REPLACE INTO guards(subject, scope, fp, failures, locked_until_ms,"
                "last_failure_ms, window_start_ms, window_used, last_send_ms) "
                "VALUES(?,?,?,?,?,?,?,?,?)"),
      delete_guards(db, "DELETE FROM guards WHERE subject=?"),
      restart_locks(db, "UPDATE guards SET locked_until_ms=? WHERE locked_until_ms>?"),
      put_secret(db,
                 "INSERT OR REPLACE INTO secrets(subject, kind, salt, memory_kib, passes, lanes,"
                 "suite, iv, ciphertext, key_version, created_ms, changed_ms) "
                 "VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"),
      delete_secret(db, "DELETE FROM secrets WHERE subject=? AND kind=?"),
      put_recipient(db,
                    "INSERT OR REPLACE INTO recipients(name, uses, der, not_before_ms,"
                    "not_after_ms, next_der, next_not_before_ms, next_not_after_ms, next_from_ms,"
                    "created_ms) VALUES(?,?,?,?,?,?,?,?,?,?)"),
      delete_recipient(db, "DELETE FROM recipients WHERE name=?"),
      put_certificate(db,
                      "INSERT OR REPLACE INTO client_certificates(serial, client, ca_version,"
                      "not_before_ms, not_after_ms, spki_sha256, revoked_ms) "
                      "VALUES(?,?,?,?,?,?,?)"),
      delete_certificates(db, "DELETE FROM client_certificates WHERE not_after_ms<?"),
      put_canary(db,
                 "INSERT INTO canaries(token) SELECT token FROM cards WHERE token=? "
                 "ON CONFLICT DO UPDATE SET token=excluded.token"),
      delete_canary(db, "DELETE FROM canaries WHERE token=?"),
      put_approval(db, "INSERT OR REPLACE INTO approvals(act, operator, created_ms) VALUES(?,?,?)"),
      delete_approval(db, "DELETE FROM approvals WHERE act=?") {}

}  // namespace cardvault::store
