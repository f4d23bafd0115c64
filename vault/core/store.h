// The store port: lookups, and groups of effects with their events. Nothing above it knows SQL.
//
// One committer thread takes everything that waits as one group: it runs each Commit's apply() in
// one transaction, syncs once, then calls each done(). Decisions that must be exact under
// concurrency (limits, budgets, de-duplication) are therefore made in apply(), which runs alone.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/base/result.h"
#include "vault/core/crypto.h"
#include "vault/core/event.h"
#include "vault/core/expiry.h"
#include "vault/core/identity.h"
#include "vault/core/recipient.h"
#include "vault/core/request.h"
#include "vault/core/token.h"

namespace cardvault::core {

// HMAC-SHA-256 truncated to its leftmost 128 bits (RFC 2104 section 5, SP 800-107r1 5.3.3).
using Fingerprint = std::array<std::uint8_t, 16>;
using InternalId = std::array<std::uint8_t, 16>;  // random; records and events bind it, not a name

struct CustomerRow {
  std::int64_t row = 0;  // the store's own number; 0: not stored yet
  InternalId id{};
  Fingerprint name_fp{};  // id-index fingerprint of the identifier
  std::uint32_t name_fp_version = 0;
  // Of a row on its way through an operation: name_fp is by the active id-index, and the row may
  // stand under one of these yet (index_fingerprints.h). Not stored.
  std::vector<Fingerprint> earlier_name_fps;
  Sealed name;  // the identifier under id-enc, AAD: the internal id and version
  std::uint32_t name_key_version = 0;
  bool frozen = false;
  // Budget of distinct new or refused PANs: used in the current windows (days since 1970, UTC).
  std::uint32_t day = 0, day_used = 0;
  std::uint32_t month_start = 0, month_used = 0;  // a window of 30 days from its first charge
};

struct CardRow {
  TokenId id;
  std::int64_t number = 0;    // numeric token, 0 for opaque
  std::int64_t customer = 0;  // CustomerRow::row; 0: none
  InternalId customer_id{};   // all zero: none
  Sealed sealed;              // PAN and expiry under pan-enc
  std::uint32_t key_version = 0;
  Fingerprint fp{};  // pan-index fingerprint
  std::uint32_t fp_version = 0;
  std::string last4;
  std::string bin;          // 0, 6 or 8 digits
  std::uint8_t digits = 0;  // length of the PAN
  std::string brand, country, currency;
  Expiry expiry;
  std::int64_t created_ms = 0;
  std::int64_t expires_ms = 0;  // end of TTL; 0: never
  bool frozen = false;
  Metadata metadata;
};

struct IdempotencyRow {
  Fingerprint body_fp{};  // id-index fingerprint of the request
  std::uint32_t fp_version = 0;
  std::vector<std::uint8_t> answer;  // an encoded Answer, without any PAN
  std::int64_t created_ms = 0;
};

enum class KeyState : std::uint8_t { kActive = 0, kDecryptOnly = 1, kRetired = 2, kDestroyed = 3 };

struct KeyRow {
  KeyRef key;
  KeyState state = KeyState::kActive;
  std::string kcv;  // hex
  std::int64_t created_ms = 0;
  std::uint64_t invocations_reserved = 0;  // GCM invocations reserved so far (SP 800-38D 8.3)
};

// The one code of a subject and purpose: a newer one takes its place. Subjects are customers.
enum class CodeState : std::uint8_t { kOpen = 0, kVerified = 1 };

struct CodeRow {
  std::int64_t subject = 0;  // CustomerRow::row
  std::string purpose;
  InternalId id{};
  Mac mac{};          // of the code, bound to id, subject, purpose and context (otp-mac)
  Mac context_mac{};  // of the context alone: what spending a verified code compares
  std::uint32_t key_version = 0;
  std::int64_t created_ms = 0;
  std::int64_t expires_ms = 0;  // of an open code; of a verified one: until when it can be spent
  CodeState state = CodeState::kOpen;
};

// Counters of wrong attempts and of sent codes. `subject` is CustomerRow::row, or for one that is
// not stored -1 - slot, where the slot is made of the keyed fingerprint's leading bits: so that
// strangers' counters take bounded space; 0 is everybody together. `scope` is "otp:PURPOSE",
// "secret:KIND", or "" for the subject as a whole.
struct GuardRow {
  std::int64_t subject = 0;
  std::string scope;
  Fingerprint fp{};            // whose, in a slot; all zero for stored subjects
  std::uint32_t failures = 0;  // since the last lock or success; as a whole: since an unlock
  std::int64_t locked_until_ms = 0;
  std::int64_t last_failure_ms = 0;
  std::int64_t window_start_ms = 0;  // of sends, or of everybody's failures
  std::uint32_t window_used = 0;
  std::int64_t last_send_ms = 0;
};

struct SecretRow {
  std::int64_t subject = 0;  // CustomerRow::row
  SecretKind kind = SecretKind::kPassword;
  std::array<std::uint8_t, 16> salt{};
  std::uint32_t memory_kib = 0, passes = 0, lanes = 0;  // of Argon2id
  Sealed sealed;                                        // its 32-byte output under secret-enc
  std::uint32_t key_version = 0;
  std::int64_t created_ms = 0, changed_ms = 0;
};

// What stands under one version of a key.
struct KeyUse {
  std::uint64_t rows = 0;     // can be moved to another: cards, customers, secrets
  std::uint64_t passing = 0;  // end by themselves: codes (otp-mac), answers kept under an
                              // Idempotency-Key (id-index)
};

// Which secret: its row's key.
struct SecretKey {
  std::int64_t subject = 0;  // CustomerRow::row
  SecretKind kind = SecretKind::kPassword;
};

// An act that one operator has asked for and another one has to ask for too.
struct ApprovalRow {
  std::string act;  // "client.release" and what of, as one text
  std::string operator_name;
  std::int64_t created_ms = 0;
};

// A certificate that the vault issued to a client.
struct ClientCertificateRow {
  std::array<std::uint8_t, 16> serial{};  // as in the certificate, big-endian
  std::string client;                     // Client::id
  std::uint32_t ca_version = 0;           // of client-ca, which signed it
  std::int64_t not_before_ms = 0, not_after_ms = 0;
  std::string spki_sha256;      // lower-case hex
  std::int64_t revoked_ms = 0;  // 0: it was not
};

// Lookups. A Reader belongs to one thread. Errors: kStoreFailed.
class Reader {
 public:
  virtual ~Reader() = default;
  [[nodiscard]] virtual base::Result<std::optional<CardRow>> card(const TokenId& id) = 0;
  [[nodiscard]] virtual base::Result<std::optional<TokenId>> numeric(std::int64_t number) = 0;
  [[nodiscard]] virtual base::Result<std::optional<CustomerRow>> customer(
      const Fingerprint& name_fp) = 0;
  [[nodiscard]] virtual base::Result<std::optional<CustomerRow>> customer_by_row(
      std::int64_t row) = 0;
  // The customer's card with this PAN.
  [[nodiscard]] virtual base::Result<std::optional<TokenId>> card_of(std::int64_t customer,
                                                                     const Fingerprint& fp) = 0;
  [[nodiscard]] virtual base::Result<std::uint32_t> count_cards(std::int64_t customer) = 0;
  // Those of them whose TTL has ended by now_ms: a look at each of the customer's cards.
  [[nodiscard]] virtual base::Result<std::uint32_t> count_ended_cards(std::int64_t customer,
                                                                      std::int64_t now_ms) = 0;
  // All cards of a customer, by token id (so by creation).
  [[nodiscard]] virtual base::Result<std::vector<CardRow>> cards(std::int64_t customer) = 0;
  [[nodiscard]] virtual base::Result<bool> pan_refused(std::int64_t customer, const Fingerprint& fp,
                                                       std::uint32_t since_day) = 0;
  [[nodiscard]] virtual base::Result<std::optional<IdempotencyRow>> idempotency(
      std::string_view client, std::string_view key) = 0;
  [[nodiscard]] virtual base::Result<std::vector<Client>> clients() = 0;
  [[nodiscard]] virtual base::Result<std::vector<KeyRow>> keys() = 0;
  // Cards whose TTL ended before now_ms, at most `limit`, the longest ended first.
  [[nodiscard]] virtual base::Result<std::vector<CardRow>> expired_cards(std::int64_t now_ms,
                                                                         std::uint32_t limit) = 0;
  [[nodiscard]] virtual base::Result<std::optional<CodeRow>> code(std::int64_t subject,
                                                                  std::string_view purpose) = 0;
  [[nodiscard]] virtual base::Result<std::optional<GuardRow>> guard(std::int64_t subject,
                                                                    std::string_view scope) = 0;
  // All of a subject's, by scope.
  [[nodiscard]] virtual base::Result<std::vector<GuardRow>> guards(std::int64_t subject) = 0;
  [[nodiscard]] virtual base::Result<std::optional<SecretRow>> secret(std::int64_t subject,
                                                                      SecretKind kind) = 0;
  [[nodiscard]] virtual base::Result<std::vector<Recipient>> recipients() = 0;  // by name
  // By client and end.
  [[nodiscard]] virtual base::Result<std::vector<ClientCertificateRow>> client_certificates() = 0;
  [[nodiscard]] virtual base::Result<std::vector<TokenId>> canaries() = 0;
  [[nodiscard]] virtual base::Result<std::optional<ApprovalRow>> approval(std::string_view act) = 0;
  // Rows that stand under one version of a key, by their own keys after `after`, at most `limit`;
  // none of purposes whose rows are elsewhere. Each call may read a table to its end, so that these
  // are for the background.
  [[nodiscard]] virtual base::Result<std::vector<TokenId>> cards_under(KeyRef key,
                                                                       const TokenId& after,
                                                                       std::uint32_t limit) = 0;
  [[nodiscard]] virtual base::Result<std::vector<std::int64_t>> customers_under(
      KeyRef key, std::int64_t after, std::uint32_t limit) = 0;
  [[nodiscard]] virtual base::Result<std::vector<SecretKey>> secrets_under(KeyRef key,
                                                                           const SecretKey& after,
                                                                           std::uint32_t limit) = 0;
  // How much needs this version. Reads whole tables too.
  [[nodiscard]] virtual base::Result<KeyUse> key_use(KeyRef key) = 0;
  // Named values of the daemon: "bin_table", "clock_high_water", "reveal_budget", "boot_id".
  [[nodiscard]] virtual base::Result<std::optional<std::vector<std::uint8_t>>> value(
      std::string_view name) = 0;
};

// Reads that also see the group's own writes, and writes. Committer thread only, inside apply().
class Transaction : public Reader {
 public:
  [[nodiscard]] virtual base::Result<std::int64_t> insert_customer(const CustomerRow& row) = 0;
  // Writes the budget windows and the frozen flag of an existing row.
  [[nodiscard]] virtual base::Result<void> update_customer(const CustomerRow& row) = 0;
  [[nodiscard]] virtual base::Result<void> insert_card(const CardRow& row) = 0;
  [[nodiscard]] virtual base::Result<void> delete_card(const CardRow& row) = 0;
  // Writes expiry and its ciphertext, TTL, metadata and the frozen flag of an existing card.
  [[nodiscard]] virtual base::Result<void> update_card(const CardRow& row) = 0;
  [[nodiscard]] virtual base::Result<void> add_refused_pan(std::int64_t customer,
                                                           const Fingerprint& fp,
                                                           std::uint32_t day) = 0;
  [[nodiscard]] virtual base::Result<void> put_idempotency(std::string_view client,
                                                           std::string_view key,
                                                           const IdempotencyRow& row) = 0;
  [[nodiscard]] virtual base::Result<void> put_client(const Client& client) = 0;  // insert/replace
  [[nodiscard]] virtual base::Result<void> put_key(const KeyRow& key) = 0;        // insert/replace
  [[nodiscard]] virtual base::Result<void> put_code(const CodeRow& row) = 0;      // insert/replace
  [[nodiscard]] virtual base::Result<void> delete_code(std::int64_t subject,
                                                       std::string_view purpose) = 0;
  // Codes whose time ended before now_ms, at most `limit`: returns how many.
  [[nodiscard]] virtual base::Result<std::uint32_t> delete_ended_codes(std::int64_t now_ms,
                                                                       std::uint32_t limit) = 0;
  // After a reboot the clock can't be held against what it was (DESIGN section 8): no code stays
  // open, and each lock that still held at now_ms holds until until_ms.
  [[nodiscard]] virtual base::Result<void> delete_all_codes() = 0;
  [[nodiscard]] virtual base::Result<void> restart_locks(std::int64_t now_ms,
                                                         std::int64_t until_ms) = 0;
  [[nodiscard]] virtual base::Result<void> put_guard(const GuardRow& row) = 0;  // insert/replace
  [[nodiscard]] virtual base::Result<void> delete_guards(std::int64_t subject) = 0;
  [[nodiscard]] virtual base::Result<void> put_secret(const SecretRow& row) = 0;  // insert/replace
  [[nodiscard]] virtual base::Result<void> delete_secret(std::int64_t subject, SecretKind kind) = 0;
  [[nodiscard]] virtual base::Result<void> put_recipient(const Recipient& row) = 0;
  [[nodiscard]] virtual base::Result<void> delete_recipient(std::string_view name) = 0;
  [[nodiscard]] virtual base::Result<void> put_client_certificate(
      const ClientCertificateRow& row) = 0;  // insert/replace
  // Those that ended before now_ms.
  [[nodiscard]] virtual base::Result<void> delete_ended_certificates(std::int64_t now_ms) = 0;
  // Of an existing card; deleting the card deletes it too.
  [[nodiscard]] virtual base::Result<void> put_canary(const TokenId& id) = 0;
  [[nodiscard]] virtual base::Result<void> put_approval(const ApprovalRow& row) = 0;
  [[nodiscard]] virtual base::Result<void> delete_approval(std::string_view act) = 0;
  // Put a row under other keys: ciphertext, fingerprint and their versions; nothing else of `now`
  // is written. False, and nothing is written, when the row is gone or no longer as it `was`.
  // kAlreadyExists when another row has the fingerprint, kRecordDamaged for a card that its index
  // doesn't have: nothing is written then either.
  [[nodiscard]] virtual base::Result<bool> move_card(const CardRow& was, const CardRow& now) = 0;
  [[nodiscard]] virtual base::Result<bool> move_customer(const CustomerRow& was,
                                                         const CustomerRow& now) = 0;
  [[nodiscard]] virtual base::Result<bool> move_secret(const SecretRow& was,
                                                       const SecretRow& now) = 0;
  [[nodiscard]] virtual base::Result<void> put_value(std::string_view name,
                                                     std::span<const std::uint8_t> value) = 0;
};

class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void add(const Event& event) = 0;
  // The sequence number that the next event will get.
  [[nodiscard]] virtual std::uint64_t next_seq() const = 0;
};

// One operation's part in a group.
class Commit {
 public:
  virtual ~Commit() = default;
  // False: apply() only adds events (a reveal, a refusal): such groups go to reveal.db.
  [[nodiscard]] virtual bool has_effect() const = 0;
  // Committer thread. Adds its events (housekeeping may add none). kConflict means: nothing was
  // written or added, what was prepared no longer fits; done() gets it and may prepare again. Any
  // other error fails the whole group.
  [[nodiscard]] virtual base::Result<void> apply(Transaction& tx, EventSink& events) = 0;
  // Committer thread, exactly once per submit: after the group is durable, or not. Must not block.
  // `self` hands the object back, so that it can be submitted again or destroyed.
  virtual void done(base::Result<Receipt> receipt, std::unique_ptr<Commit> self) = 0;
};

// Thread-safe.
class Committer {
 public:
  virtual ~Committer() = default;
  // Takes the commit, or calls done() at once, on this thread, with kOverloaded (the bounded queue
  // is full), kStoreFailed or kStorageFull (latched after a failed commit until a probe succeeds).
  virtual void submit(std::unique_ptr<Commit> commit) = 0;
  [[nodiscard]] virtual base::Result<void> state() const = 0;  // why it refuses, if it does
};

}  // namespace cardvault::core
