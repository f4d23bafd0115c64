#include "vault/store/schema.h"

#include <array>
#include <span>
#include <string>

#include "vault/base/result.h"

namespace cardvault::store {
namespace {

constexpr std::int64_t kApplicationId = 0x43617664;  // "Cavd"

// One row per group commit; `leaves` as in vault/audit/leaves.h.
constexpr const char* kEvents =
    "CREATE TABLE events("
    "  first_seq INTEGER PRIMARY KEY, count INTEGER NOT NULL CHECK(count > 0),"
    "  leaves BLOB NOT NULL) STRICT;";

// Tokens are ordered by time, so `cards` grows at its end. `card_index` is at once the key of
// de-duplication, a customer's card list and their number; a card without a customer is not in it.
constexpr const char* kCards =
    "CREATE TABLE customers("
    "  row INTEGER PRIMARY KEY, id BLOB NOT NULL, name_fp BLOB NOT NULL UNIQUE,"
    "  name_fp_version INTEGER NOT NULL, name_suite INTEGER NOT NULL, name_iv BLOB NOT NULL,"
    "  name_ciphertext BLOB NOT NULL, name_key_version INTEGER NOT NULL, frozen INTEGER NOT NULL,"
    "  day INTEGER NOT NULL, day_used INTEGER NOT NULL, month_start INTEGER NOT NULL,"
    "  month_used INTEGER NOT NULL) STRICT;"
    "CREATE TABLE cards("
    "  token BLOB PRIMARY KEY, number INTEGER NOT NULL, customer INTEGER NOT NULL,"
    "  customer_id BLOB NOT NULL, suite INTEGER NOT NULL, iv BLOB NOT NULL,"
    "  ciphertext BLOB NOT NULL, key_version INTEGER NOT NULL, fp BLOB NOT NULL,"
    "  fp_version INTEGER NOT NULL, last4 TEXT NOT NULL, bin TEXT NOT NULL,"
    "  digits INTEGER NOT NULL, brand TEXT NOT NULL, country TEXT NOT NULL,"
    "  currency TEXT NOT NULL, expiry INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    "  expires_ms INTEGER NOT NULL, frozen INTEGER NOT NULL, metadata BLOB NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX cards_by_end ON cards(expires_ms) WHERE expires_ms > 0;"
    "CREATE TABLE card_index("
    "  customer INTEGER NOT NULL REFERENCES customers(row), fp BLOB NOT NULL,"
    "  token BLOB NOT NULL, fp_version INTEGER NOT NULL,"
    "  PRIMARY KEY(customer, fp)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE numeric(number INTEGER PRIMARY KEY, token BLOB NOT NULL) STRICT;"
    "CREATE TABLE refused_pans("
    "  customer INTEGER NOT NULL REFERENCES customers(row), fp BLOB NOT NULL,"
    "  day INTEGER NOT NULL, PRIMARY KEY(customer, fp)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX refused_pans_by_day ON refused_pans(day);";

// `values` and `key` are words of SQL, hence the longer names.
constexpr const char* kRest =
    "CREATE TABLE idempotency("
    "  client TEXT NOT NULL, request_key TEXT NOT NULL, body_fp BLOB NOT NULL,"
    "  fp_version INTEGER NOT NULL, answer BLOB NOT NULL, created_ms INTEGER NOT NULL,"
    "  PRIMARY KEY(client, request_key)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX idempotency_by_time ON idempotency(created_ms);"
    "CREATE TABLE clients("
    "  id TEXT PRIMARY KEY, spki_sha256 TEXT NOT NULL, san TEXT NOT NULL,"
    "  permissions INTEGER NOT NULL, purposes BLOB NOT NULL, rate_per_s INTEGER NOT NULL,"
    "  reveals_per_hour INTEGER NOT NULL, reveals_per_day INTEGER NOT NULL,"
    "  revoked INTEGER NOT NULL, frozen INTEGER NOT NULL, created_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE keys("
    "  purpose INTEGER NOT NULL, version INTEGER NOT NULL, state INTEGER NOT NULL,"
    "  kcv TEXT NOT NULL, created_ms INTEGER NOT NULL, invocations_reserved INTEGER NOT NULL,"
    "  PRIMARY KEY(purpose, version)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE named_values("
    "  name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;";

// Codes and secrets hang on a stored customer; counters may be those of a subject that is none, or
// of everybody, hence without a reference.
constexpr const char* kSubjects =
    "CREATE TABLE codes("
    "  subject INTEGER NOT NULL REFERENCES customers(row), purpose TEXT NOT NULL,"
    "  id BLOB NOT NULL, mac BLOB NOT NULL, context_mac BLOB NOT NULL,"
    "  key_version INTEGER NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,"
    "  state INTEGER NOT NULL, PRIMARY KEY(subject, purpose)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX codes_by_end ON codes(expires_ms);"
    "CREATE TABLE guards("
    "  subject INTEGER NOT NULL, scope TEXT NOT NULL, fp BLOB NOT NULL,"
    "  failures INTEGER NOT NULL, locked_until_ms INTEGER NOT NULL,"
    "  last_failure_ms INTEGER NOT NULL, window_start_ms INTEGER NOT NULL,"
    "  window_used INTEGER NOT NULL, last_send_ms INTEGER NOT NULL,"
    "  PRIMARY KEY(subject, scope)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE secrets("
    "  subject INTEGER NOT NULL REFERENCES customers(row), kind INTEGER NOT NULL,"
    "  salt BLOB NOT NULL, memory_kib INTEGER NOT NULL, passes INTEGER NOT NULL,"
    "  lanes INTEGER NOT NULL, suite INTEGER NOT NULL, iv BLOB NOT NULL,"
    "  ciphertext BLOB NOT NULL, key_version INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    "  changed_ms INTEGER NOT NULL, PRIMARY KEY(subject, kind)) STRICT, WITHOUT ROWID;";

// `next_der` is empty when no replacement is pending. A certificate fills most of a page: a table
// with row ids keeps such rows apart.
constexpr const char* kOperatorsTables =
    "CREATE TABLE recipients("
    "  name TEXT PRIMARY KEY, uses INTEGER NOT NULL, der BLOB NOT NULL,"
    "  not_before_ms INTEGER NOT NULL, not_after_ms INTEGER NOT NULL, next_der BLOB NOT NULL,"
    "  next_not_before_ms INTEGER NOT NULL, next_not_after_ms INTEGER NOT NULL,"
    "  next_from_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL) STRICT;"
    "CREATE TABLE canaries("
    "  token BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;"
    "CREATE TABLE approvals("
    "  act TEXT PRIMARY KEY, operator TEXT NOT NULL, created_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;";

// Of clients that the vault's own CA enrolled; revocation lists are made of it.
constexpr const char* kClientCertificates =
    "CREATE TABLE client_certificates("
    "  serial BLOB PRIMARY KEY, client TEXT NOT NULL, ca_version INTEGER NOT NULL,"
    "  not_before_ms INTEGER NOT NULL, not_after_ms INTEGER NOT NULL, spki_sha256 TEXT NOT NULL,"
    "  revoked_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

// Each element brings a file from version i to i + 1. Published steps never change.
const std::array<std::string, 3> kVaultSteps = {std::string(kEvents) + kCards + kRest,
                                                std::string(kSubjects) + kOperatorsTables,
                                                std::string(kClientCertificates)};
const std::array<std::string, 1> kRevealSteps = {kEvents};

[[noreturn]] void refuse(File file, const std::string& what) {
  throw base::StartupError(std::string(file_name(file)) + ": " + what);
}

std::int64_t pragma(Connection& connection, File file, const char* sql) {
  const auto value = connection.integer(sql, "read schema version");
  if (!value) {
    refuse(file, "SQLite can't read it (error " + std::to_string(value.error().number) +
                     "): it is damaged or not a database; restore it from a backup");
  }
  return *value;
}

}  // namespace

std::string_view file_name(File file) noexcept {
  return file == File::kVault ? "vault.db" : "reveal.db";
}

void migrate(Connection& connection, File file) {
  const std::span<const std::string> steps =
      file == File::kVault ? std::span<const std::string>(kVaultSteps) : kRevealSteps;
  const auto newest = static_cast<std::int64_t>(steps.size());
  const std::int64_t version = pragma(connection, file, "PRAGMA user_version");
  const std::int64_t application = pragma(connection, file, "PRAGMA application_id");
  const std::int64_t tables = pragma(connection, file, "SELECT count(*) FROM sqlite_schema");
  if (application != kApplicationId && (application != 0 || version != 0 || tables != 0)) {
    refuse(file, "it is not a card vault's database; check the configured data directory");
  }
  if (version > newest) {
    refuse(file, "its schema has version " + std::to_string(version) +
                     ", this program knows up to " + std::to_string(newest) +
                     ": install the newer cardvault that wrote it, or restore the backup taken "
                     "before the upgrade");
  }
  for (std::int64_t step = version; step < newest; ++step) {
    const std::string sql = "BEGIN IMMEDIATE;" + steps[static_cast<std::size_t>(step)] +
                            "PRAGMA application_id=" + std::to_string(kApplicationId) +
                            ";PRAGMA user_version=" + std::to_string(step + 1) + ";COMMIT";
    const auto done = connection.execute(sql.c_str(), "migrate schema");
    if (done) continue;
    connection.rollback();
    refuse(file, "bringing it to version " + std::to_string(step + 1) + " failed (SQLite error " +
                     std::to_string(done.error().number) +
                     "): check free space and permissions, then start again; nothing was changed");
  }
}

}  // namespace cardvault::store
