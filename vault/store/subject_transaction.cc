// SqliteTransaction's writes to the tables of schema version 2.
#include <sqlite3.h>

#include "vault/base/check.h"
#include "vault/store/sqlite_transaction.h"

namespace cardvault::store {

base::Result<std::uint32_t> SqliteTransaction::erase(Query& query, const char* operation) {
  CARDVAULT_CHECK(connection_.in_transaction());
  if (auto done = query.run(operation); !done) return std::unexpected(done.error());
  const auto rows = static_cast<std::uint32_t>(sqlite3_changes64(connection_.handle()));
  if (rows == 0) return rows;
  ++writes_;
  deleted_ = true;
  return rows;
}

base::Result<void> SqliteTransaction::put_code(const core::CodeRow& row) {
  Query query(subjects_.put_code);
  query.bind(row.subject).bind(row.purpose).bind(row.id).bind(row.mac).bind(row.context_mac);
  query.bind(row.key_version).bind(row.created_ms).bind(row.expires_ms);
  query.bind(static_cast<std::int64_t>(row.state));
  return write(query, "put code");
}

base::Result<void> SqliteTransaction::delete_code(std::int64_t subject, std::string_view purpose) {
  Query query(subjects_.delete_code);
  const auto rows = erase(query.bind(subject).bind(purpose), "delete code");
  if (!rows) return std::unexpected(rows.error());
  return {};
}

base::Result<std::uint32_t> SqliteTransaction::delete_ended_codes(std::int64_t now_ms,
                                                                  std::uint32_t limit) {
  Query query(subjects_.delete_ended_codes);
  return erase(query.bind(now_ms).bind(limit), "delete ended codes");
}

base::Result<void> SqliteTransaction::delete_all_codes() {
  Query query(subjects_.delete_all_codes);
  const auto rows = erase(query, "delete all codes");
  if (!rows) return std::unexpected(rows.error());
  return {};
}

base::Result<void> SqliteTransaction::put_guard(const core::GuardRow& row) {
  Query query(subjects_.put_guard);
  query.bind(row.subject).bind(row.scope).bind(row.fp).bind(row.failures);
  query.bind(row.locked_until_ms).bind(row.last_failure_ms).bind(row.window_start_ms);
  query.bind(row.window_used).bind(row.last_send_ms);
  return write(query, "put guard");
}

base::Result<void> SqliteTransaction::delete_guards(std::int64_t subject) {
  Query query(subjects_.delete_guards);
  return write(query.bind(subject), "delete guards");
}

base::Result<void> SqliteTransaction::restart_locks(std::int64_t now_ms, std::int64_t until_ms) {
  Query query(subjects_.restart_locks);
  return write(query.bind(until_ms).bind(now_ms), "restart locks");
}

base::Result<void> SqliteTransaction::put_secret(const core::SecretRow& row) {
  Query query(subjects_.put_secret);
  query.bind(row.subject).bind(static_cast<std::int64_t>(row.kind)).bind(row.salt);
  query.bind(row.memory_kib).bind(row.passes).bind(row.lanes);
  query.bind(static_cast<std::int64_t>(row.sealed.suite)).bind(row.sealed.iv);
  query.bind(row.sealed.ciphertext).bind(row.key_version).bind(row.created_ms);
  query.bind(row.changed_ms);
  deleted_ = true;  // the one before, if there was one
  return write(query, "put secret");
}

base::Result<void> SqliteTransaction::delete_secret(std::int64_t subject, core::SecretKind kind) {
  Query query(subjects_.delete_secret);
  const auto rows =
      erase(query.bind(subject).bind(static_cast<std::int64_t>(kind)), "delete secret");
  if (!rows) return std::unexpected(rows.error());
  return {};
}

base::Result<void> SqliteTransaction::put_recipient(const core::Recipient& row) {
  Query query(subjects_.put_recipient);
  query.bind(row.name).bind(row.uses).bind(row.certificate.der);
  query.bind(row.certificate.not_before_ms).bind(row.certificate.not_after_ms);
  query.bind(row.next.der).bind(row.next.not_before_ms).bind(row.next.not_after_ms);
  query.bind(row.next_from_ms).bind(row.created_ms);
  return write(query, "put recipient");
}

base::Result<void> SqliteTransaction::delete_recipient(std::string_view name) {
  Query query(subjects_.delete_recipient);
  return write(query.bind(name), "delete recipient");
}

base::Result<void> SqliteTransaction::put_client_certificate(
    const core::ClientCertificateRow& row) {
  Query query(subjects_.put_certificate);
  query.bind(row.serial).bind(row.client).bind(row.ca_version).bind(row.not_before_ms);
  query.bind(row.not_after_ms).bind(row.spki_sha256).bind(row.revoked_ms);
  return write(query, "put client certificate");
}

base::Result<void> SqliteTransaction::delete_ended_certificates(std::int64_t now_ms) {
  Query query(subjects_.delete_certificates);
  return write(query.bind(now_ms), "delete client certificates");
}

base::Result<void> SqliteTransaction::put_canary(const core::TokenId& id) {
  Query query(subjects_.put_canary);
  return must_change(query.bind(id.bytes), "put canary");
}

base::Result<void> SqliteTransaction::put_approval(const core::ApprovalRow& row) {
  Query query(subjects_.put_approval);
  query.bind(row.act).bind(row.operator_name).bind(row.created_ms);
  return write(query, "put approval");
}

base::Result<void> SqliteTransaction::delete_approval(std::string_view act) {
  Query query(subjects_.delete_approval);
  return write(query.bind(act), "delete approval");
}

}  // namespace cardvault::store
