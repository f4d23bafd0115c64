// The store's SELECTs, once, for readers and for the write transaction alike: here those of cards,
// customers, clients and keys; subject_lookups.h has the rest.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "vault/core/store.h"
#include "vault/store/key_lookups.h"
#include "vault/store/statement.h"
#include "vault/store/subject_lookups.h"

namespace cardvault::store {

// Answers as core::Reader promises; a row whose columns make no sense is kRecordDamaged. Belongs to
// its connection's thread; the connection must outlive it.
class Lookups {
 public:
  explicit Lookups(Connection& connection);

  [[nodiscard]] base::Result<std::optional<core::CardRow>> card(const core::TokenId& id);
  [[nodiscard]] base::Result<std::optional<core::TokenId>> numeric(std::int64_t number);
  [[nodiscard]] base::Result<std::optional<core::CustomerRow>> customer(
      const core::Fingerprint& name_fp);
  [[nodiscard]] base::Result<std::optional<core::CustomerRow>> customer_by_row(std::int64_t row);
  [[nodiscard]] base::Result<std::optional<core::TokenId>> card_of(std::int64_t customer,
                                                                   const core::Fingerprint& fp);
  [[nodiscard]] base::Result<std::uint32_t> count_cards(std::int64_t customer);
  [[nodiscard]] base::Result<std::uint32_t> count_ended_cards(std::int64_t customer,
                                                              std::int64_t now_ms);
  [[nodiscard]] base::Result<std::vector<core::CardRow>> cards(std::int64_t customer);
  [[nodiscard]] base::Result<bool> pan_refused(std::int64_t customer, const core::Fingerprint& fp,
                                               std::uint32_t since_day);
  [[nodiscard]] base::Result<std::optional<core::IdempotencyRow>> idempotency(
      std::string_view client, std::string_view key);
  [[nodiscard]] base::Result<std::vector<core::Client>> clients();
  [[nodiscard]] base::Result<std::vector<core::KeyRow>> keys();
  [[nodiscard]] base::Result<std::vector<core::CardRow>> expired_cards(std::int64_t now_ms,
                                                                       std::uint32_t limit);
  [[nodiscard]] base::Result<std::optional<std::vector<std::uint8_t>>> value(std::string_view name);

 private:
  Statement card_, numeric_, customer_, customer_by_row_, card_of_, count_, count_ended_, cards_,
      refused_, idempotency_, clients_, keys_, expired_, value_;
};

// A port of the domain whose lookups are SQLite's: core::Reader or core::Transaction.
template <class Port>
class WithLookups : public Port {
 public:
  explicit WithLookups(Connection& connection)
      : lookups_(connection), subjects_(connection), keyed_(connection) {}

  base::Result<std::optional<core::CardRow>> card(const core::TokenId& id) override {
    return lookups_.card(id);
  }
  base::Result<std::optional<core::TokenId>> numeric(std::int64_t number) override {
    return lookups_.numeric(number);
  }
  base::Result<std::optional<core::CustomerRow>> customer(
      const core::Fingerprint& name_fp) override {
    return lookups_.customer(name_fp);
  }
  base::Result<std::optional<core::CustomerRow>> customer_by_row(std::int64_t row) override {
    return lookups_.customer_by_row(row);
  }
  base::Result<std::optional<core::TokenId>> card_of(std::int64_t customer,
                                                     const core::Fingerprint& fp) override {
    return lookups_.card_of(customer, fp);
  }
  base::Result<std::uint32_t> count_cards(std::int64_t customer) override {
    return lookups_.count_cards(customer);
  }
  base::Result<std::uint32_t> count_ended_cards(std::int64_t customer,
                                                std::int64_t now_ms) override {
    return lookups_.count_ended_cards(customer, now_ms);
  }
  base::Result<std::vector<core::CardRow>> cards(std::int64_t customer) override {
    return lookups_.cards(customer);
  }
  base::Result<bool> pan_refused(std::int64_t customer, const core::Fingerprint& fp,
                                 std::uint32_t since_day) override {
    return lookups_.pan_refused(customer, fp, since_day);
  }
  base::Result<std::optional<core::IdempotencyRow>> idempotency(std::string_view client,
                                                                std::string_view key) override {
    return lookups_.idempotency(client, key);
  }
  base::Result<std::vector<core::Client>> clients() override { return lookups_.clients(); }
  base::Result<std::vector<core::KeyRow>> keys() override { return lookups_.keys(); }
  base::Result<std::vector<core::CardRow>> expired_cards(std::int64_t now_ms,
                                                         std::uint32_t limit) override {
    return lookups_.expired_cards(now_ms, limit);
  }
  base::Result<std::optional<std::vector<std::uint8_t>>> value(std::string_view name) override {
    return lookups_.value(name);
  }
  base::Result<std::optional<core::CodeRow>> code(std::int64_t subject,
                                                  std::string_view purpose) override {
    return subjects_.code(subject, purpose);
  }
  base::Result<std::optional<core::GuardRow>> guard(std::int64_t subject,
                                                    std::string_view scope) override {
    return subjects_.guard(subject, scope);
  }
  base::Result<std::vector<core::GuardRow>> guards(std::int64_t subject) override {
    return subjects_.guards(subject);
  }
  base::Result<std::optional<core::SecretRow>> secret(std::int64_t subject,
                                                      core::SecretKind kind) override {
    return subjects_.secret(subject, kind);
  }
  base::Result<std::vector<core::Recipient>> recipients() override {
    return subjects_.recipients();
  }
  base::Result<std::vector<core::ClientCertificateRow>> client_certificates() override {
    return subjects_.client_certificates();
  }
  base::Result<std::vector<core::TokenId>> canaries() override { return subjects_.canaries(); }
  base::Result<std::optional<core::ApprovalRow>> approval(std::string_view act) override {
    return subjects_.approval(act);
  }
  base::Result<std::vector<core::TokenId>> cards_under(core::KeyRef key, const core::TokenId& after,
                                                       std::uint32_t limit) override {
    return keyed_.cards_under(key, after, limit);
  }
  base::Result<std::vector<std::int64_t>> customers_under(core::KeyRef key, std::int64_t after,
                                                          std::uint32_t limit) override {
    return keyed_.customers_under(key, after, limit);
  }
  base::Result<std::vector<core::SecretKey>> secrets_under(core::KeyRef key,
                                                           const core::SecretKey& after,
                                                           std::uint32_t limit) override {
    return keyed_.secrets_under(key, after, limit);
  }
  base::Result<core::KeyUse> key_use(core::KeyRef key) override { return keyed_.key_use(key); }

 private:
  Lookups lookups_;
  SubjectLookups subjects_;
  KeyLookups keyed_;
};

}  // namespace cardvault::store
