#include <atomic>
#include <thread>

#include "tests/unit/store/store_fixture.h"
#include "vault/store/durable_file.h"
#include "vault/store/new_log.h"

namespace cardvault::store {
namespace {

class StoreBackup : public StoreTest {
 protected:
  TempDir target_;
};

TEST_F(StoreBackup, CopyIsOneMomentOfBothFilesWhileCommitsGoOn) {
  open();
  std::atomic<bool> stop = false;
  std::vector<std::thread> load;
  for (std::uint64_t t = 0; t < 4; ++t) {
    load.emplace_back([&, t] {
      for (std::uint64_t n = t; !stop; n += 4) {
        if (n % 3 == 0) {
          EXPECT_TRUE(record(*store_, "reveal").get());
        } else {
          EXPECT_TRUE(write(*store_, [n](core::Transaction& tx, auto&) {
            return tx.insert_card(card_row(n, 0));
          }));
        }
      }
    });
  }
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    const TempDir target;
    const std::uint64_t before = store_->next_seq();
    std::int64_t last = 0, total = -1;
    ASSERT_TRUE(store_->backup(target.path(), [&](std::int64_t done, std::int64_t all) {
      EXPECT_GE(done, last);
      last = done;
      total = all;
    }));
    EXPECT_EQ(last, total);
    // Opening checks that the numbers of both files are contiguous.
    const auto copy = SqliteStore::open(target.path());
    EXPECT_GE(copy->next_seq(), before);
    EXPECT_LE(copy->next_seq(), store_->next_seq());
    const auto lines = copy->make_event_reader().value()->read(0, 1'000'000).value();
    EXPECT_EQ(lines.size(), copy->next_seq());
  }
  stop = true;
  for (auto& thread : load) thread.join();
}

TEST_F(StoreBackup, NeverOverwrites) {
  open();
  ASSERT_TRUE(store_->backup(target_.path(), {}));
  EXPECT_EQ(store_->backup(target_.path(), {}).error().code, base::Code::kAlreadyExists);
  EXPECT_TRUE(std::filesystem::exists(target_.path() / "vault.db"));
}

TEST_F(StoreBackup, FailedOneLeavesNothingBehind) {
  open();
  ASSERT_TRUE(create_exclusive(target_.path() / "reveal.db"));
  EXPECT_EQ(store_->backup(target_.path(), {}).error().code, base::Code::kAlreadyExists);
  EXPECT_FALSE(std::filesystem::exists(target_.path() / "vault.db"));
}

TEST_F(StoreBackup, IsForItsOwnerOnly) {
  open();
  ASSERT_TRUE(store_->backup(target_.path(), {}));
  for (const auto& entry : std::filesystem::directory_iterator(target_.path())) {
    EXPECT_EQ(entry.status().permissions() & std::filesystem::perms::mask,
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)
        << entry.path();
  }
}

TEST_F(StoreBackup, RestoredCopyBeginsALogOfItsOwnAndKeepsItsCards) {
  open();
  ASSERT_TRUE(write(*store_, [](core::Transaction& tx, auto&) -> base::Result<void> {
    if (auto ok = tx.put_value(kPublishedValue, std::vector<std::uint8_t>(8, 0)); !ok) return ok;
    return tx.insert_card(card_row(7, 0));
  }));
  ASSERT_TRUE(record(*store_, "reveal").get());
  ASSERT_TRUE(store_->backup(target_.path(), {}));
  ASSERT_TRUE(begin_new_log(target_.path()));
  const auto copy = SqliteStore::open(target_.path());
  EXPECT_EQ(copy->next_seq(), 0U);
  EXPECT_TRUE(copy->make_event_reader().value()->read(0, 10).value().empty());
  const auto reader = copy->make_reader().value();
  EXPECT_FALSE(reader->value(kPublishedValue).value());
  EXPECT_TRUE(reader->card(card_row(7, 0).id).value());
}

TEST_F(StoreBackup, StoppedStoreSaysSo) {
  open();
  store_->stop();
  EXPECT_EQ(store_->backup(target_.path(), {}).error().code, base::Code::kVaultUnavailable);
}

}  // namespace
}  // namespace cardvault::store
