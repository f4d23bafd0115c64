// The write side of vault.db, as core::Commit::apply() sees it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "vault/store/key_statements.h"
#include "vault/store/lookups.h"
#include "vault/store/subject_statements.h"

namespace cardvault::store {

// Statements on the write connection, inside the transaction that the committer began. Besides what
// core::Transaction promises: insert_card returns kConflict, with nothing written, when the token,
// its number or the customer's PAN is already there; updates of rows that are not there are
// kConflict too, and so is a canary without its card. Deleting what is not there is no error, but
// for a card. Committer thread only.
class SqliteTransaction : public WithLookups<core::Transaction> {
 public:
  explicit SqliteTransaction(Connection& connection);

  base::Result<std::int64_t> insert_customer(const core::CustomerRow& row) override;
  base::Result<void> update_customer(const core::CustomerRow& row) override;
  base::Result<void> insert_card(const core::CardRow& row) override;
  base::Result<void> delete_card(const core::CardRow& row) override;
  base::Result<void> update_card(const core::CardRow& row) override;
  base::Result<void> add_refused_pan(std::int64_t customer, const core::Fingerprint& fp,
                                     std::uint32_t day) override;
  base::Result<void> put_idempotency(std::string_view client, std::string_view key,
                                     const core::IdempotencyRow& row) override;
  base::Result<void> put_client(const core::Client& client) override;
  base::Result<void> put_key(const core::KeyRow& key) override;
  base::Result<void> put_code(const core::CodeRow& row) override;
  base::Result<void> delete_code(std::int64_t subject, std::string_view purpose) override;
  base::Result<std::uint32_t> delete_ended_codes(std::int64_t now_ms, std::uint32_t limit) override;
  base::Result<void> delete_all_codes() override;
  base::Result<void> restart_locks(std::int64_t now_ms, std::int64_t until_ms) override;
  base::Result<void> put_guard(const core::GuardRow& row) override;
  base::Result<void> delete_guards(std::int64_t subject) override;
  base::Result<void> put_secret(const core::SecretRow& row) override;
  base::Result<void> delete_secret(std::int64_t subject, core::SecretKind kind) override;
  base::Result<void> put_recipient(const core::Recipient& row) override;
  base::Result<void> delete_recipient(std::string_view name) override;
  base::Result<void> put_client_certificate(const core::ClientCertificateRow& row) override;
  base::Result<void> delete_ended_certificates(std::int64_t now_ms) override;
  base::Result<void> put_canary(const core::TokenId& id) override;
  base::Result<void> put_approval(const core::ApprovalRow& row) override;
  base::Result<void> delete_approval(std::string_view act) override;
  base::Result<bool> move_card(const core::CardRow& was, const core::CardRow& now) override;
  base::Result<bool> move_customer(const core::CustomerRow& was,
                                   const core::CustomerRow& now) override;
  base::Result<bool> move_secret(const core::SecretRow& was, const core::SecretRow& now) override;
  base::Result<void> put_value(std::string_view name, std::span<const std::uint8_t> value) override;

  // Deletes up to `limit` idempotency rows older than 24 hours and as many PANs refused more than
  // 31 days ago. True: there may be more.
  [[nodiscard]] base::Result<bool> expire(std::int64_t now_ms, std::int64_t limit);

  // Rows changed since construction: lets the committer see who wrote.
  [[nodiscard]] std::uint64_t writes() const noexcept { return writes_; }
  // Cards, codes or secrets deleted, or secrets replaced, since the last call: their bytes have to
  // leave the files.
  [[nodiscard]] bool take_deleted() noexcept;

 private:
  base::Result<void> write(Query& query, const char* operation);
  base::Result<void> must_change(Query& query, const char* operation);
  // Deletes rows whose bytes have to leave the files: how many.
  base::Result<std::uint32_t> erase(Query& query, const char* operation);
  // Whether it changed a row; a fingerprint that is taken is kAlreadyExists.
  base::Result<bool> changed(Query& query, const char* operation);
  base::Result<bool> replace_card(const core::CardRow& was, const core::CardRow& now);
  base::Result<void> insert_card_row(const core::CardRow& row);
  base::Result<void> insert_index_row(const core::CardRow& row);

  Connection& connection_;
  Statement insert_customer_, update_customer_, insert_number_, insert_card_, insert_index_,
      delete_number_, delete_card_, delete_index_, update_card_, add_refused_, put_idempotency_,
      put_client_, put_key_, put_value_, expire_idempotency_, expire_refused_;
  SubjectStatements subjects_;
  KeyStatements moves_;
  std::uint64_t writes_ = 0;
  bool deleted_ = false;
};

}  // namespace cardvault::store
