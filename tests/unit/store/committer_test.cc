#include <thread>

#include "tests/unit/store/store_fixture.h"
#include "vault/audit/event_codec.h"

namespace cardvault::store {
namespace {

using Committer = StoreTest;

// Holds the committer inside a group, so that what is submitted meanwhile becomes the next one.
class Gate {
 public:
  explicit Gate(SqliteStore& store) {
    blocked_ = submit(store, false, [this](core::Transaction&, core::EventSink& events) {
      entered_.set_value();
      opened_.get_future().wait();
      events.add(event("gate"));
      return base::Result<void>();
    });
    entered_.get_future().wait();
  }
  void open() {
    opened_.set_value();
    EXPECT_TRUE(blocked_.get());
  }

 private:
  std::promise<void> entered_, opened_;
  std::future<base::Result<std::uint64_t>> blocked_;
};

auto put(std::uint8_t value) {
  return [value](core::Transaction& tx, core::EventSink& events) {
    events.add(event("put"));
    return tx.put_value("v", std::array{value});
  };
}

TEST_F(Committer, GroupsOfRevealsLeaveTheCardFileAlone) {
  open();
  ASSERT_EQ(record(*store_, "reveal").get().value(), 0U);
  ASSERT_EQ(record(*store_, "reveal").get().value(), 1U);
  EXPECT_EQ(count_rows("reveal.db", "events"), 2);
  EXPECT_EQ(count_rows("vault.db", "events"), 0);
}

TEST_F(Committer, OneEffectTakesTheWholeGroupToTheCardFile) {
  open();
  Gate gate(*store_);
  auto a = record(*store_, "reveal");
  auto b = submit(*store_, true, put(1));
  auto c = record(*store_, "reveal");
  gate.open();
  EXPECT_EQ(a.get().value(), 1U);
  EXPECT_EQ(b.get().value(), 2U);
  EXPECT_EQ(c.get().value(), 3U);
  EXPECT_EQ(count_rows("reveal.db", "events"), 1);  // the gate's
  EXPECT_EQ(count_rows("vault.db", "events"), 1);
}

TEST_F(Committer, ReceiptNamesTheFirstOfACommitsEvents) {
  open();
  const auto three = [](core::Transaction&, core::EventSink& events) {
    for (int i = 0; i < 3; ++i) events.add(event("item"));
    return base::Result<void>();
  };
  EXPECT_EQ(submit(*store_, false, three).get().value(), 0U);
  EXPECT_EQ(submit(*store_, false, three).get().value(), 3U);
  EXPECT_EQ(store_->next_seq(), 6U);
}

TEST_F(Committer, ConflictLeavesNothingAndDoesNotHarmTheGroup) {
  open();
  Gate gate(*store_);
  auto before = submit(*store_, true, put(1));
  auto conflict = submit(*store_, true, [](core::Transaction&, core::EventSink&) {
    return base::Result<void>(base::fail(base::Code::kConflict, "test"));
  });
  auto after = submit(*store_, true, put(2));
  gate.open();
  EXPECT_EQ(before.get().value(), 1U);
  EXPECT_EQ(conflict.get().error().code, base::Code::kConflict);
  EXPECT_EQ(after.get().value(), 2U);
  EXPECT_EQ(log().size(), 3U);
  EXPECT_EQ(reader_->value("v").value().value(), std::vector<std::uint8_t>{2});
}

TEST_F(Committer, GroupOfConflictsAloneWritesNothing) {
  open();
  const auto conflict = [](core::Transaction&, core::EventSink&) {
    return base::Result<void>(base::fail(base::Code::kConflict, "test"));
  };
  EXPECT_EQ(submit(*store_, true, conflict).get().error().code, base::Code::kConflict);
  EXPECT_TRUE(log().empty());
  EXPECT_EQ(record(*store_, "next").get().value(), 0U);
}

TEST_F(Committer, HousekeepingMayHaveNoEvent) {
  open();
  EXPECT_TRUE(submit(*store_, true, [](core::Transaction& tx, core::EventSink&) {
                return tx.put_value("clock_high_water", std::array<std::uint8_t, 1>{7});
              }).get());
  EXPECT_TRUE(reader_->value("clock_high_water").value().has_value());
  EXPECT_TRUE(log().empty());
}

using CommitterDeathTest = StoreTest;

TEST_F(CommitterDeathTest, RevealWithoutEventIsABug) {
  EXPECT_DEATH(
      {
        open();
        (void)submit(*store_, false, [](auto&, auto&) { return base::Result<void>(); }).get();
      },
      "bug: .*silent");
}

TEST_F(CommitterDeathTest, WritingWithoutDeclaringAnEffectIsABug) {
  EXPECT_DEATH(
      {
        open();
        (void)submit(*store_, false, put(1)).get();
      },
      "bug: ");
}

TEST_F(CommitterDeathTest, ConflictAfterAWriteIsABug) {
  EXPECT_DEATH(
      {
        open();
        (void)submit(*store_, true, [](core::Transaction& tx, auto&) -> base::Result<void> {
          (void)tx.put_value("v", {});
          return base::fail(base::Code::kConflict, "test");
        }).get();
      },
      "bug: ");
}

TEST_F(Committer, ErrorFailsTheGroupAndLatchesUntilAProbeSucceeds) {
  StoreOptions options;
  options.probe_interval = std::chrono::milliseconds(50);
  std::atomic<bool> may_recover = false;
  options.on_recovered = [&] { return may_recover.load(); };
  open(options);
  Gate gate(*store_);
  auto innocent = submit(*store_, true, put(1));
  auto guilty = submit(*store_, true, [](core::Transaction&, core::EventSink&) {
    return base::Result<void>(base::fail(base::Code::kInternal, "test", 7));
  });
  gate.open();
  EXPECT_EQ(innocent.get().error().code, base::Code::kInternal);
  EXPECT_EQ(guilty.get().error().number, 7);
  EXPECT_EQ(store_->committer().state().error().code, base::Code::kStoreFailed);
  EXPECT_EQ(record(*store_, "refused").get().error().code, base::Code::kStoreFailed);
  EXPECT_FALSE(reader_->value("v").value().has_value());

  may_recover = true;
  while (!store_->committer().state()) std::this_thread::yield();
  EXPECT_EQ(record(*store_, "again").get().value(), 3U);
  const auto lines = log();
  ASSERT_EQ(lines.size(), 4U);
  for (const std::size_t i : {1U, 2U}) {
    EXPECT_EQ(audit::parse_event(lines[i].json, nullptr)->operation, "store.recovered");
  }
}

TEST_F(Committer, FullQueueRefusesAtOnceOnTheCallersThread) {
  StoreOptions options;
  options.queue_limit = 2;
  open(options);
  Gate gate(*store_);
  auto a = record(*store_, "a"), b = record(*store_, "b");
  std::thread::id where;
  base::Code code = base::Code::kInternal;
  store_->committer().submit(
      std::make_unique<LambdaCommit>(false, Apply(), [&](base::Result<core::Receipt> receipt) {
        where = std::this_thread::get_id();
        code = receipt.error().code;
      }));
  EXPECT_EQ(where, std::this_thread::get_id());
  EXPECT_EQ(code, base::Code::kOverloaded);
  gate.open();
  EXPECT_TRUE(a.get() && b.get());
}

TEST_F(Committer, StopCommitsWhatWaitsAndRefusesTheRest) {
  open();
  std::vector<std::future<base::Result<std::uint64_t>>> waiting;
  for (int i = 0; i < 2000; ++i) waiting.push_back(record(*store_, "waiting"));
  store_->stop();
  for (auto& one : waiting) EXPECT_TRUE(one.get());
  EXPECT_EQ(record(*store_, "late").get().error().code, base::Code::kOverloaded);
  EXPECT_FALSE(store_->committer().between_groups([] { FAIL(); }));
}

TEST_F(Committer, LongGroupsAreCut) {
  StoreOptions options;
  options.group_bytes = 1000;
  options.group_limit = 8;
  open(options);
  Gate gate(*store_);
  std::vector<std::future<base::Result<std::uint64_t>>> waiting;
  for (int i = 0; i < 64; ++i) waiting.push_back(record(*store_, std::string(500, 'x')));
  gate.open();
  for (std::uint64_t i = 0; i < 64; ++i) EXPECT_EQ(waiting[i].get().value(), i + 1);
  EXPECT_EQ(count_rows("reveal.db", "events"), 1 + 32);  // two lines reach the limit
}

// 100 threads store the same PAN for the same customer: one row, one event that made it.
TEST_F(Committer, ParallelCommitsOfOneCardStoreItOnce) {
  open();
  std::int64_t customer = 0;
  ASSERT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) -> base::Result<void> {
    customer = tx.insert_customer(customer_row(1)).value();
    return {};
  }));
  std::atomic<int> stored = 0, duplicates = 0;
  std::vector<std::thread> threads;
  for (std::uint64_t n = 0; n < 100; ++n) {
    threads.emplace_back([&, n] {
      EXPECT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) -> base::Result<void> {
        core::CardRow card = card_row(n, customer);
        card.fp = numbered<16>(7, 4);
        if (tx.card_of(customer, card.fp).value()) return ++duplicates, base::Result<void>();
        ++stored;
        return tx.insert_card(card);
      }));
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(stored, 1);
  EXPECT_EQ(duplicates, 99);
  EXPECT_EQ(reader_->count_cards(customer).value(), 1U);
  EXPECT_EQ(log().size(), 101U);
}

TEST_F(Committer, NumbersAreContiguousAcrossBothFilesAndRestarts) {
  std::uint64_t expected = 0;
  for (int round = 0; round < 3; ++round) {
    open();
    EXPECT_EQ(store_->next_seq(), expected);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) {
          if ((i + t) % 3 == 0) {
            EXPECT_TRUE(submit(*store_, true, put(1)).get());
          } else {
            EXPECT_TRUE(record(*store_, "reveal").get());
          }
        }
      });
    }
    for (auto& thread : threads) thread.join();
    expected += 400;
  }
  const auto lines = log();
  ASSERT_EQ(lines.size(), 1200U);
  for (std::uint64_t i = 0; i < lines.size(); ++i) {
    std::uint64_t seq = 0;
    ASSERT_TRUE(audit::parse_event(lines[i].json, &seq));
    EXPECT_EQ(seq, i);
    EXPECT_EQ(lines[i].seq, i);
  }
  EXPECT_GT(count_rows("vault.db", "events"), 0);
  EXPECT_GT(count_rows("reveal.db", "events"), 0);
}

TEST_F(Committer, LogIsReadFromAnyNumber) {
  open();
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(i % 4 == 0 ? submit(*store_, true, put(1)).get() : record(*store_, "r").get());
  }
  auto events = store_->make_event_reader().value();
  for (std::uint64_t from = 0; from <= 30; ++from) {
    const auto lines = events->read(from, 7).value();
    ASSERT_EQ(lines.size(), std::min<std::size_t>(7, 30 - from));
    for (std::size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i].seq, from + i);
  }
}

}  // namespace
}  // namespace cardvault::store
