#include "vault/store/subject_lookups.h"

#include "vault/store/row_reading.h"

namespace cardvault::store {
namespace {

#define GUARD_COLUMNS                                                                             \
  "subject, scope, fp, failures, locked_until_ms, last_failure_ms, window_start_ms, window_used," \
  "last_send_ms "

bool read_code(const Query& query, core::CodeRow& code) {
  const auto state = query.integer(8);
  if (!query.fixed(2, code.id) || !query.fixed(3, code.mac) || !query.fixed(4, code.context_mac) ||
      state < 0 || state > static_cast<std::int64_t>(core::CodeState::kVerified)) {
    return false;
  }
  code.subject = query.integer(0);
  code.purpose = query.text(1);
  code.key_version = narrow<std::uint32_t>(query, 5);
  code.created_ms = query.integer(6);
  code.expires_ms = query.integer(7);
  code.state = static_cast<core::CodeState>(state);
  return true;
}

bool read_guard(const Query& query, core::GuardRow& guard) {
  guard.subject = query.integer(0);
  guard.scope = query.text(1);
  guard.failures = narrow<std::uint32_t>(query, 3);
  guard.locked_until_ms = query.integer(4);
  guard.last_failure_ms = query.integer(5);
  guard.window_start_ms = query.integer(6);
  guard.window_used = narrow<std::uint32_t>(query, 7);
  guard.last_send_ms = query.integer(8);
  return query.fixed(2, guard.fp);
}

bool read_secret(const Query& query, core::SecretRow& secret) {
  const auto kind = query.integer(1);
  if (kind < 0 || kind > static_cast<std::int64_t>(core::SecretKind::kQuickCode) ||
      !query.fixed(2, secret.salt) || !read_sealed(query, 6, secret.sealed)) {
    return false;
  }
  secret.subject = query.integer(0);
  secret.kind = static_cast<core::SecretKind>(kind);
  secret.memory_kib = narrow<std::uint32_t>(query, 3);
  secret.passes = narrow<std::uint32_t>(query, 4);
  secret.lanes = narrow<std::uint32_t>(query, 5);
  secret.key_version = narrow<std::uint32_t>(query, 9);
  secret.created_ms = query.integer(10);
  secret.changed_ms = query.integer(11);
  return true;
}

bool read_recipient(const Query& query, core::Recipient& recipient) {
  recipient.name = query.text(0);
  recipient.uses = narrow<std::uint8_t>(query, 1);
  recipient.certificate = {query.bytes(2), query.integer(3), query.integer(4)};
  recipient.next = {query.bytes(5), query.integer(6), query.integer(7)};
  recipient.next_from_ms = query.integer(8);
  recipient.created_ms = query.integer(9);
  return !recipient.certificate.der.empty();
}

bool read_client_certificate(const Query& query, core::ClientCertificateRow& row) {
  row.client = query.text(1);
  row.ca_version = narrow<std::uint32_t>(query, 2);
  row.not_before_ms = query.integer(3);
  row.not_after_ms = query.integer(4);
  row.spki_sha256 = query.text(5);
  row.revoked_ms = query.integer(6);
  return query.fixed(0, row.serial);
}

bool read_canary(const Query& query, core::TokenId& id) { return query.fixed(0, id.bytes); }

bool read_approval(const Query& query, core::ApprovalRow& approval) {
  approval.act = query.text(0);
  approval.operator_name = query.text(1);
  approval.created_ms = query.integer(2);
  return true;
}

}  // namespace

SubjectLookups::SubjectLookups(Connection& db)
    : code_(db,
            "SELECT subject, purpose, id, mac, context_mac, key_version, created_ms, expires_ms,"
            "state FROM codes WHERE subject=? AND purpose=?"),
      guard_(db, "SELECT " GUARD_COLUMNS "FROM guards WHERE subject=? AND scope=?"),
      guards_(db, "SELECT " GUARD_COLUMNS "FROM guards WHERE subject=? ORDER BY scope"),
      secret_(db,
              "SELECT subject, kind, salt, memory_kib, passes, lanes, suite, iv, ciphertext,"
              "key_version, created_ms, changed_ms FROM secrets WHERE subject=? AND kind=?"),
      recipients_(db,
                  "SELECT name, uses, der, not_before_ms, not_after_ms, next_der,"
                  "next_not_before_ms, next_not_after_ms, next_from_ms, created_ms "
                  "FROM recipients ORDER BY name"),
      certificates_(db,
                    "SELECT serial, client, ca_version, not_before_ms, not_after_ms, spki_sha256,"
                    "revoked_ms FROM client_certificates ORDER BY client, not_after_ms"),
      canaries_(db, "SELECT token FROM canaries ORDER BY token"),
      approval_(db, "SELECT act, operator, created_ms FROM approvals WHERE act=?") {}

base::Result<std::optional<core::CodeRow>> SubjectLookups::code(std::int64_t subject,
                                                                std::string_view purpose) {
  Query query(code_);
  return read_one<core::CodeRow>(query.bind(subject).bind(purpose), read_code, "look up code");
}

base::Result<std::optional<core::GuardRow>> SubjectLookups::guard(std::int64_t subject,
                                                                  std::string_view scope) {
  Query query(guard_);
  return read_one<core::GuardRow>(query.bind(subject).bind(scope), read_guard, "look up guard");
}

base::Result<std::vector<core::GuardRow>> SubjectLookups::guards(std::int64_t subject) {
  Query query(guards_);
  return read_all<core::GuardRow>(query.bind(subject), read_guard, "list guards");
}

base::Result<std::optional<core::SecretRow>> SubjectLookups::secret(std::int64_t subject,
                                                                    core::SecretKind kind) {
  Query query(secret_);
  query.bind(subject).bind(static_cast<std::int64_t>(kind));
  return read_one<core::SecretRow>(query, read_secret, "look up secret");
}

base::Result<std::vector<core::Recipient>> SubjectLookups::recipients() {
  Query query(recipients_);
  return read_all<core::Recipient>(query, read_recipient, "list recipients");
}

base::Result<std::vector<core::ClientCertificateRow>> SubjectLookups::client_certificates() {
  Query query(certificates_);
  return read_all<core::ClientCertificateRow>(query, read_client_certificate,
                                              "list client certificates");
}

base::Result<std::vector<core::TokenId>> SubjectLookups::canaries() {
  Query query(canaries_);
  return read_all<core::TokenId>(query, read_canary, "list canaries");
}

base::Result<std::optional<core::ApprovalRow>> SubjectLookups::approval(std::string_view act) {
  Query query(approval_);
  return read_one<core::ApprovalRow>(query.bind(act), read_approval, "look up approval");
}

}  // namespace cardvault::store
