// A store in a directory of its own, and commits made of lambdas.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include "vault/store/sqlite_store.h"

namespace cardvault::store {

class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "cardvault-store-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

using Apply = std::function<base::Result<void>(core::Transaction&, core::EventSink&)>;
using Done = std::function<void(base::Result<core::Receipt>)>;

class LambdaCommit : public core::Commit {
 public:
  LambdaCommit(bool effect, Apply apply, Done done)
      : effect_(effect), apply_(std::move(apply)), done_(std::move(done)) {}
  [[nodiscard]] bool has_effect() const override { return effect_; }
  base::Result<void> apply(core::Transaction& tx, core::EventSink& events) override {
    return apply_(tx, events);
  }
  void done(base::Result<core::Receipt> receipt, std::unique_ptr<core::Commit> self) override {
    done_(receipt);
    self.reset();
  }

 private:
  bool effect_;
  Apply apply_;
  Done done_;
};

inline core::Event event(std::string operation) {
  core::Event made;
  made.time_ms = 1795329000000;
  made.actor = "system";
  made.operation = std::move(operation);
  return made;
}

inline std::future<base::Result<std::uint64_t>> submit(SqliteStore& store, bool effect,
                                                       Apply apply) {
  auto promise = std::make_shared<std::promise<base::Result<std::uint64_t>>>();
  auto future = promise->get_future();
  store.committer().submit(std::make_unique<LambdaCommit>(
      effect, std::move(apply), [promise](base::Result<core::Receipt> receipt) {
        if (receipt) {
          promise->set_value(receipt->seq());
        } else {
          promise->set_value(std::unexpected(receipt.error()));
        }
      }));
  return future;
}

// Writes and waits: the number of the commit's event, or its error.
inline base::Result<std::uint64_t> write(SqliteStore& store, Apply effect) {
  return submit(store, true,
                [effect](core::Transaction& tx, core::EventSink& events) {
                  auto done = effect(tx, events);
                  if (done) events.add(event("write"));
                  return done;
                })
      .get();
}

inline std::future<base::Result<std::uint64_t>> record(SqliteStore& store,
                                                       const std::string& operation) {
  return submit(store, false, [operation](core::Transaction&, core::EventSink& events) {
    events.add(event(operation));
    return base::Result<void>();
  });
}

template <std::size_t N>
std::array<std::uint8_t, N> numbered(std::uint64_t n, std::uint8_t kind) {
  std::array<std::uint8_t, N> out{};
  for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<std::uint8_t>(n >> (56 - 8 * i));
  out[N - 1] = kind;
  return out;
}

inline core::CustomerRow customer_row(std::uint64_t n) {
  core::CustomerRow row;
  row.id = numbered<16>(n, 1);
  row.name_fp = numbered<16>(n, 2);
  row.name_fp_version = 1;
  row.name.iv.assign(12, 0x31);
  row.name.ciphertext.assign(28, 0x32);
  row.name_key_version = 1;
  return row;
}

inline core::CardRow card_row(std::uint64_t n, std::int64_t customer) {
  core::CardRow row;
  row.id.bytes = numbered<16>(n, 3);
  row.customer = customer;
  if (customer != 0) row.customer_id = numbered<16>(static_cast<std::uint64_t>(customer), 1);
  row.sealed.iv.assign(12, 0x41);
  row.sealed.ciphertext.assign(34, 0x42);
  row.key_version = 1;
  row.fp = numbered<16>(n, 4);
  row.fp_version = 1;
  row.last4 = "1111";
  row.bin = "411111";
  row.digits = 16;
  row.brand = "visa";
  row.country = "KZ";
  row.currency = "KZT";
  row.created_ms = 1795329000000 + static_cast<std::int64_t>(n);
  return row;
}

inline core::CodeRow code_row(std::int64_t subject, std::string purpose) {
  core::CodeRow row;
  row.subject = subject;
  row.purpose = std::move(purpose);
  row.id = numbered<16>(7, 5);
  row.mac.fill(0x51);
  row.context_mac.fill(0x52);
  row.key_version = 1;
  row.created_ms = 1795329000000;
  row.expires_ms = row.created_ms + 900'000;
  return row;
}

inline core::SecretRow secret_row(std::int64_t subject, core::SecretKind kind) {
  core::SecretRow row;
  row.subject = subject;
  row.kind = kind;
  row.salt = numbered<16>(8, 6);
  row.memory_kib = 19'456;
  row.passes = 2;
  row.lanes = 1;
  row.sealed.iv.assign(12, 0x61);
  row.sealed.ciphertext.assign(48, 0x62);
  row.key_version = 1;
  row.created_ms = row.changed_ms = 1795329000000;
  return row;
}

class StoreTest : public testing::Test {
 protected:
  void open(StoreOptions options = {}) {
    store_.reset();
    options.create = true;
    store_ = SqliteStore::open(dir_.path(), std::move(options));
    reader_ = store_->make_reader().value();
  }
  void close() {
    reader_.reset();
    store_.reset();
  }
  [[nodiscard]] std::vector<LogLine> log() const {
    return store_->make_event_reader().value()->read(0, 1'000'000).value();
  }
  // Stores customer_row(n): its number.
  std::int64_t add_customer(std::uint64_t n) {
    std::int64_t row = 0;
    EXPECT_TRUE(write(*store_, [&](core::Transaction& tx, core::EventSink&) -> base::Result<void> {
      row = tx.insert_customer(customer_row(n)).value();
      return {};
    }));
    return row;
  }
  // What keeps it from opening, or "".
  [[nodiscard]] std::string startup_error(StoreOptions options = {}) {
    try {
      (void)SqliteStore::open(dir_.path(), std::move(options));
    } catch (const base::StartupError& error) {
      return error.what();
    }
    return "";
  }
  void run_sql(const char* file, const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((dir_.path() / file).c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
  [[nodiscard]] std::int64_t count_rows(const char* file, const char* table) {
    auto connection = Connection::open(dir_.path() / file, {}).value();
    return connection->integer((std::string("SELECT count(*) FROM ") + table).c_str(), "count")
        .value();
  }

  TempDir dir_;
  std::unique_ptr<SqliteStore> store_;
  std::unique_ptr<SqliteReader> reader_;
};

}  // namespace cardvault::store
