// What happens to events once they are in the published log.
#include <thread>

#include "tests/unit/store/store_fixture.h"
#include "vault/audit/event_codec.h"

namespace cardvault::store {
namespace {

class Published : public StoreTest {
 protected:
  // As the publisher notes it before it has rows deleted.
  void note(std::uint64_t published) {
    std::vector<std::uint8_t> value;
    for (int shift = 0; shift < 64; shift += 8) {
      value.push_back(static_cast<std::uint8_t>(published >> shift));
    }
    value.push_back('c');  // the checkpoint follows
    EXPECT_TRUE(submit(*store_, true, [&](core::Transaction& tx, core::EventSink&) {
                  return tx.put_value(kPublishedValue, value);
                }).get());
  }
  void add_events(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      if (i % 3 == 0) {
        EXPECT_TRUE(write(*store_, [](core::Transaction& tx, core::EventSink&) {
          return tx.put_value("x", std::vector<std::uint8_t>{1});
        }));
      } else {
        EXPECT_TRUE(record(*store_, "reveal").get());
      }
    }
  }
};

TEST_F(Published, EventsAreForgottenInBothFilesAndTheNumbersGoOn) {
  open();
  add_events(300);
  note(250);
  ASSERT_TRUE(store_->forget_events(250));
  const auto lines = log();
  ASSERT_EQ(lines.size(), 50U);
  EXPECT_EQ(lines.front().seq, 250U);
  EXPECT_EQ(count_rows("vault.db", "events") + count_rows("reveal.db", "events"), 50);
  EXPECT_EQ(record(*store_, "x").get().value(), 300U);
  close();
  open();
  EXPECT_EQ(store_->next_seq(), 301U);
  note(301);
  ASSERT_TRUE(store_->forget_events(301));
  EXPECT_TRUE(log().empty());
  close();
  open();
  EXPECT_EQ(store_->next_seq(), 301U);
  EXPECT_EQ(record(*store_, "x").get().value(), 301U);
}

TEST_F(Published, ARowGoesOnlyWhenAllOfItIsPublished) {
  open();
  EXPECT_TRUE(submit(*store_, false, [](core::Transaction&, core::EventSink& events) {
                for (int i = 0; i < 10; ++i) events.add(event("item"));
                return base::Result<void>();
              }).get());
  note(7);
  ASSERT_TRUE(store_->forget_events(7));
  EXPECT_EQ(log().size(), 10U);
  note(10);
  ASSERT_TRUE(store_->forget_events(10));
  EXPECT_TRUE(log().empty());
}

TEST_F(Published, AGapAfterWhatIsPublishedIsStillFound) {
  open();
  add_events(30);
  note(10);
  ASSERT_TRUE(store_->forget_events(10));
  close();
  EXPECT_EQ(startup_error(), "");
  run_sql("reveal.db", "DELETE FROM events WHERE first_seq = 13");
  EXPECT_NE(startup_error().find("has no events 13 to 13"), std::string::npos);
}

TEST_F(Published, WithoutTheNoteForgottenEventsAreAGap) {
  open();
  add_events(30);
  note(20);
  ASSERT_TRUE(store_->forget_events(20));
  close();
  run_sql("vault.db", "DELETE FROM named_values WHERE name = 'published'");
  EXPECT_NE(startup_error().find("has no events 0 to 19"), std::string::npos);
}

TEST_F(Published, CommitsGoOnWhileEventsAreForgotten) {
  open();
  add_events(400);
  note(400);
  std::atomic<bool> stop = false;
  std::atomic<unsigned> added = 0;
  std::thread writer([&] {
    while (!stop) {
      EXPECT_TRUE(record(*store_, "meanwhile").get());
      ++added;
    }
  });
  while (added == 0) std::this_thread::yield();
  const auto forgotten = store_->forget_events(400);
  stop = true;
  writer.join();
  ASSERT_TRUE(forgotten);
  const auto lines = log();
  ASSERT_EQ(lines.size(), added);
  EXPECT_EQ(lines.front().seq, 400U);
}

TEST_F(Published, NothingIsForgottenOnceStopped) {
  open();
  add_events(5);
  note(5);
  store_->stop();
  EXPECT_EQ(store_->forget_events(5).error().code, base::Code::kVaultUnavailable);
}

class LogTime : public StoreTest {
 protected:
  base::Result<std::uint64_t> record_at(std::int64_t time_ms) {
    return submit(*store_, false,
                  [time_ms](core::Transaction&, core::EventSink& events) {
                    core::Event made = event("x");
                    made.time_ms = time_ms;
                    events.add(made);
                    return base::Result<void>();
                  })
        .get();
  }
  std::vector<std::int64_t> times() {
    std::vector<std::int64_t> all;
    for (const LogLine& line : log()) all.push_back(audit::check_event(line.json)->time_ms);
    return all;
  }
};

TEST_F(LogTime, NeverStepsBackNotEvenOverAStart) {
  open();
  for (const std::int64_t time : {1000, 3000, 2000, 4000}) ASSERT_TRUE(record_at(time));
  close();
  open();
  ASSERT_TRUE(record_at(3500));
  ASSERT_TRUE(record_at(5000));
  EXPECT_EQ(times(), (std::vector<std::int64_t>{1000, 3000, 3000, 4000, 4000, 5000}));
}

}  // namespace
}  // namespace cardvault::store
