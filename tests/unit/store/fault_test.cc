#include <sys/mount.h>

#include <fstream>
#include <random>
#include <thread>

#include "tests/unit/store/fault_vfs.h"
#include "tests/unit/store/store_fixture.h"
#include "vault/audit/event_codec.h"

namespace cardvault::store {
namespace {

class StoreFault : public StoreTest {
 protected:
  void SetUp() override {
    faults().heal();
    StoreOptions options;
    options.vfs = faulty_vfs();
    options.probe_interval = std::chrono::milliseconds(20);
    options.on_recovered = [this] { return ++recoveries_ > unread_; };
    open(options);
  }
  void TearDown() override {
    faults().heal();
    close();
  }

  // Stores card n; remembers it when that was acknowledged.
  base::Result<std::uint64_t> store_card(std::uint64_t n) {
    auto stored = write(
        *store_, [n](core::Transaction& tx, auto&) { return tx.insert_card(card_row(n, 0)); });
    if (stored) acknowledged_.emplace_back(n, *stored);
    return stored;
  }
  void wait_until_recovered() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!store_->committer().state()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  // After a restart: the log is whole, and what was acknowledged is there under its number.
  void expect_nothing_lost() {
    open();
    const auto lines = log();
    for (std::size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i].seq, i);
    for (const auto& [n, seq] : acknowledged_) {
      EXPECT_TRUE(reader_->card(card_row(n, 0).id).value().has_value()) << n;
      ASSERT_LT(seq, lines.size());
      EXPECT_EQ(audit::parse_event(lines[seq].json, nullptr)->operation, "write");
    }
  }

  std::vector<std::pair<std::uint64_t, std::uint64_t>> acknowledged_;
  std::atomic<int> recoveries_ = 0;
  int unread_ = 0;  // so many first recoveries can't read what memory holds again
};

TEST_F(StoreFault, FullDiskRefusesAndRecoversWithoutRestart) {
  ASSERT_TRUE(store_card(1));
  faults().write_error = SQLITE_FULL;
  EXPECT_EQ(store_card(2).error().code, base::Code::kStorageFull);
  EXPECT_EQ(store_->committer().state().error().code, base::Code::kStorageFull);
  EXPECT_EQ(record(*store_, "reveal").get().error().code, base::Code::kStorageFull);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // probes fail meanwhile
  EXPECT_FALSE(store_->committer().state());
  EXPECT_EQ(recoveries_, 0);
  EXPECT_TRUE(reader_->card(card_row(1, 0).id).value().has_value());  // lookups go on

  faults().heal();
  wait_until_recovered();
  EXPECT_EQ(recoveries_, 1);
  EXPECT_TRUE(store_card(3));
  EXPECT_TRUE(record(*store_, "reveal").get());
  EXPECT_FALSE(reader_->card(card_row(2, 0).id).value().has_value());
  expect_nothing_lost();
}

TEST_F(StoreFault, RefusesUntilWhatMemoryHoldsIsReadAgain) {
  unread_ = 3;
  ASSERT_TRUE(store_card(1));
  faults().write_error = SQLITE_FULL;
  EXPECT_FALSE(store_card(2));
  faults().heal();
  wait_until_recovered();
  EXPECT_EQ(recoveries_, 4);
  EXPECT_TRUE(store_card(3));
  // Said once for each file, not at each try.
  std::size_t said = 0;
  for (const auto& line : log()) said += line.json.find("store.recovered") != std::string::npos;
  EXPECT_EQ(said, 2U);
  expect_nothing_lost();
}

TEST_F(StoreFault, FailedSyncIsNeverAcknowledged) {
  ASSERT_TRUE(store_card(1));
  faults().sync_error = SQLITE_IOERR_FSYNC;
  const auto stored = store_card(2);
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, base::Code::kStoreFailed);
  EXPECT_EQ(stored.error().number, SQLITE_IOERR_FSYNC);
  EXPECT_EQ(record(*store_, "reveal").get().error().code, base::Code::kStoreFailed);
  faults().heal();
  wait_until_recovered();
  ASSERT_TRUE(store_card(3));
  expect_nothing_lost();
}

TEST_F(StoreFault, FailedRevealSyncLatchesToo) {
  ASSERT_TRUE(record(*store_, "reveal").get());
  faults().sync_error = SQLITE_IOERR_FSYNC;
  EXPECT_FALSE(record(*store_, "reveal").get());
  EXPECT_FALSE(store_->committer().state());
  faults().heal();
  wait_until_recovered();
  EXPECT_TRUE(record(*store_, "reveal").get());
  expect_nothing_lost();
}

// From each write and sync of a workload on, one after the other, nothing works any more.
TEST_F(StoreFault, EveryWriteAndSyncMayBeTheOneThatFails) {
  std::uint64_t n = 0;
  int failures = 0;
  for (int at = 0; at < 30; ++at) {
    faults().calls = 0;
    faults().calls_until_fault = at;
    for (int i = 0; i < 4; ++i) {
      if (!store_card(n++)) ++failures;
      if (!record(*store_, "reveal").get()) ++failures;
    }
    faults().heal();
    wait_until_recovered();
  }
  EXPECT_GT(failures, 30);
  EXPECT_GT(acknowledged_.size(), 30U);
  expect_nothing_lost();
}

TEST_F(StoreFault, RandomFaultsUnderParallelLoadLoseNothing) {
  std::mutex mutex;
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> next = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        const std::uint64_t n = next++;
        const auto stored = write(
            *store_, [n](core::Transaction& tx, auto&) { return tx.insert_card(card_row(n, 0)); });
        const std::lock_guard lock(mutex);
        if (stored) acknowledged_.emplace_back(n, *stored);
      }
    });
  }
  std::mt19937 random(20261122);
  const auto stored = [&] {
    const std::lock_guard lock(mutex);
    return acknowledged_.size();
  };
  // On a busy machine a fault may come and go before anybody writes.
  const auto enough = [&] { return stored() > 20 && recoveries_ > 0; };
  for (int round = 0; round < 20 || (!enough() && round < 1000); ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 20));
    (random() % 2 == 0 ? faults().write_error : faults().sync_error) = SQLITE_IOERR;
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 30));
    faults().heal();
    wait_until_recovered();
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_GE(recoveries_, 1);
  EXPECT_GT(acknowledged_.size(), 20U);
  expect_nothing_lost();
}

// The real thing, where the test may mount: a file system that runs full and gets room again.
TEST(StoreFullDisk, FillsUpRefusesAndRecovers) {
  const TempDir dir;
  if (mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=1m") != 0) {
    GTEST_SKIP() << "mounting a small tmpfs needs CAP_SYS_ADMIN";
  }
  {
    StoreOptions options;
    options.create = true;
    options.probe_interval = std::chrono::milliseconds(20);
    const auto store = SqliteStore::open(dir.path(), options);
    {
      std::ofstream ballast(dir.path() / "ballast");
      const std::string block(4096, 'x');
      for (int i = 0; i < 60; ++i) ballast << block;
    }
    std::vector<std::uint64_t> stored;
    base::Result<std::uint64_t> last;
    for (std::uint64_t n = 0; n < 10000; ++n) {
      last = write(*store,
                   [n](core::Transaction& tx, auto&) { return tx.insert_card(card_row(n, 0)); });
      if (!last) break;
      stored.push_back(n);
    }
    ASSERT_FALSE(last);
    EXPECT_EQ(last.error().code, base::Code::kStorageFull);
    EXPECT_GT(stored.size(), 5U);
    std::filesystem::remove(dir.path() / "ballast");
    for (int i = 0; i < 6000 && !store->committer().state(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_TRUE(store->committer().state());
    EXPECT_TRUE(record(*store, "after").get());
    const auto reader = store->make_reader().value();
    for (const auto n : stored) {
      EXPECT_TRUE(reader->card(card_row(n, 0).id).value().has_value()) << n;
    }
  }
  umount(dir.path().c_str());
}

}  // namespace
}  // namespace cardvault::store
