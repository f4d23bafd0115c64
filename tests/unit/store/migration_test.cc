// A vault that version 1 of the schema wrote, with rows in it, opened by this program.
#include "tests/unit/store/store_fixture.h"

namespace cardvault::store {
namespace {

// The published first step, as it stands in the files of older vaults.
constexpr const char* kVersion1 =
    "PRAGMA journal_mode=WAL;"
    "CREATE TABLE events("
    "  first_seq INTEGER PRIMARY KEY, count INTEGER NOT NULL CHECK(count > 0),"
    "  leaves BLOB NOT NULL) STRICT;"
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
    "CREATE INDEX refused_pans_by_day ON refused_pans(day);"
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
    "  name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
    "PRAGMA application_id=1130460772;"
    "PRAGMA user_version=1;";

// A customer with a numeric card, a refused PAN, a client, a key, a value and one event.
constexpr const char* kRows =
    "INSERT INTO customers VALUES(1,x'00000000000000010000000000000001',"
    "  x'00000000000000010000000000000002',1,1,x'313131313131313131313131',"
    "  x'32323232323232323232323232323232323232323232323232323232',1,1,20000,3,19990,17);"
    "INSERT INTO cards VALUES(x'00000000000000010000000000000003',7000000000000001111,1,"
    "  x'00000000000000010000000000000001',1,x'414141414141414141414141',"
    "  x'4242424242424242424242424242424242424242424242424242424242424242424242',1,"
    "  x'00000000000000010000000000000004',1,'1111','411111',16,'visa','KZ','KZT',24335,"
    "  1795329000001,0,0,x'05006f7264657202003137');"
    "INSERT INTO card_index VALUES(1,x'00000000000000010000000000000004',"
    "  x'00000000000000010000000000000003',1);"
    "INSERT INTO numeric VALUES(7000000000000001111,x'00000000000000010000000000000003');"
    "INSERT INTO refused_pans VALUES(1,x'00000000000000020000000000000004',20000);"
    "INSERT INTO idempotency VALUES('web','k1',x'00000000000000010000000000000009',1,x'010203',"
    "  1000);"
    "INSERT INTO clients VALUES('web','00ff','',7,x'07007061796d656e7401002a',100,5,6,0,1,42);"
    "INSERT INTO keys VALUES(0,1,0,'aabbccddee',7,65536);"
    "INSERT INTO named_values VALUES('bin_table',x'090807');"
    "INSERT INTO events VALUES(0,1,x'020000007b7d');";

class StoreMigration : public StoreTest {
 protected:
  void SetUp() override {
    open();
    close();
    for (const char* suffix : {"", "-wal", "-shm"}) {
      std::filesystem::remove(dir_.path() / (std::string("vault.db") + suffix));
    }
    run_sql("vault.db", std::string(kVersion1) + kRows);
  }
  // The file's tables and indexes as SQL, and its version.
  [[nodiscard]] std::string schema_of(const std::filesystem::path& file) const {
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
    std::string all;
    const auto append = [](void* text, int /*columns*/, char** values, char** /*names*/) {
      static_cast<std::string*>(text)->append(values[0] != nullptr ? values[0] : "").append("\n");
      return 0;
    };
    for (const char* sql : {"SELECT sql FROM sqlite_schema ORDER BY name", "PRAGMA user_version"}) {
      EXPECT_EQ(sqlite3_exec(db, sql, append, &all, nullptr), SQLITE_OK);
    }
    sqlite3_close(db);
    return all;
  }
};

TEST_F(StoreMigration, RowsOfVersion1AreKept) {
  open();
  const auto customer = reader_->customer(numbered<16>(1, 2)).value().value();
  EXPECT_EQ(customer.row, 1);
  EXPECT_EQ(customer.id, (numbered<16>(1, 1)));
  EXPECT_TRUE(customer.frozen);
  EXPECT_EQ(customer.month_used, 17U);
  const auto card = reader_->card(card_row(1, 1).id).value().value();
  EXPECT_EQ(card.number, 7'000'000'000'000'001'111);
  EXPECT_EQ(card.sealed.ciphertext, std::vector<std::uint8_t>(35, 0x42));
  EXPECT_EQ(card.metadata, (core::Metadata{{"order", "17"}}));
  EXPECT_EQ(reader_->numeric(card.number).value(), card.id);
  EXPECT_EQ(reader_->card_of(1, card.fp).value(), card.id);
  EXPECT_TRUE(reader_->pan_refused(1, numbered<16>(2, 4), 20000).value());
  EXPECT_EQ(reader_->idempotency("web", "k1").value().value().answer,
            (std::vector<std::uint8_t>{1, 2, 3}));
  const auto clients = reader_->clients().value();
  ASSERT_EQ(clients.size(), 1U);
  EXPECT_EQ(clients[0].purposes, (std::vector<std::string>{"payment", "*"}));
  EXPECT_TRUE(clients[0].frozen);
  EXPECT_EQ(reader_->keys().value().at(0).kcv, "aabbccddee");
  EXPECT_EQ(reader_->value("bin_table").value(), (std::vector<std::uint8_t>{9, 8, 7}));
  EXPECT_EQ(store_->next_seq(), 1U);
}

TEST_F(StoreMigration, WhatVersion2AddsHangsOnOldRows) {
  open();
  ASSERT_TRUE(write(*store_, [](core::Transaction& tx, auto&) -> base::Result<void> {
    if (auto done = tx.put_code(code_row(1, "verify_login")); !done) return done;
    return tx.put_canary(card_row(1, 1).id);
  }));
  EXPECT_TRUE(reader_->code(1, "verify_login").value());
  EXPECT_EQ(reader_->canaries().value().size(), 1U);
  const auto card = reader_->card(card_row(1, 1).id).value().value();
  ASSERT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) { return tx.delete_card(card); }));
  EXPECT_TRUE(reader_->canaries().value().empty());
}

TEST_F(StoreMigration, ClientCertificatesOfVersion3AreKeptUntilTheyEnd) {
  open();
  const core::ClientCertificateRow first{numbered<16>(1, 1), "web", 1, 10, 2000, "aa", 0};
  const core::ClientCertificateRow second{numbered<16>(1, 2), "web", 1, 10, 1000, "bb", 500};
  ASSERT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) -> base::Result<void> {
    if (auto done = tx.put_client_certificate(first); !done) return done;
    return tx.put_client_certificate(second);
  }));
  const auto rows = reader_->client_certificates().value();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].serial, second.serial);  // the one that ends first
  EXPECT_EQ(rows[0].revoked_ms, 500);
  // A revoked one needs its CA's key no more.
  EXPECT_EQ(reader_->key_use({core::KeyPurpose::kClientCa, 1}).value().passing, 1U);
  EXPECT_EQ(reader_->key_use({core::KeyPurpose::kClientCa, 2}).value().passing, 0U);
  ASSERT_TRUE(write(
      *store_, [](core::Transaction& tx, auto&) { return tx.delete_ended_certificates(1500); }));
  ASSERT_EQ(reader_->client_certificates().value().size(), 1U);
}

TEST_F(StoreMigration, EndsAtTheSchemaOfANewVault) {
  open();
  close();
  const TempDir fresh;
  {
    const auto store = SqliteStore::open(fresh.path(), {.create = true});
  }
  const std::string migrated = schema_of(dir_.path() / "vault.db");
  EXPECT_EQ(migrated, schema_of(fresh.path() / "vault.db"));
  EXPECT_NE(migrated.find("CREATE TABLE guards"), std::string::npos);
  EXPECT_EQ(migrated.substr(migrated.size() - 2), "3\n");
}

TEST_F(StoreMigration, FailedStepLeavesTheFileAsItWas) {
  run_sql("vault.db", "CREATE TABLE approvals(x)");  // in the way of the step's last table
  const std::string before = schema_of(dir_.path() / "vault.db");
  const std::string error = startup_error();
  EXPECT_NE(error.find("bringing it to version 2 failed"), std::string::npos) << error;
  EXPECT_EQ(schema_of(dir_.path() / "vault.db"), before);
  run_sql("vault.db", "DROP TABLE approvals");
  EXPECT_EQ(startup_error(), "");
}

}  // namespace
}  // namespace cardvault::store
