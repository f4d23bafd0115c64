#include "vault/daemon/late_events.h"

#include <gtest/gtest.h>

namespace cardvault::daemon {
namespace {

using Details = std::vector<std::pair<std::string, std::string>>;

core::Event alarm(std::int64_t time_ms) {
  core::Event event;
  event.time_ms = time_ms;
  event.operation = "alarm";
  event.details = {{"made", std::to_string(time_ms)}};
  return event;
}

TEST(LateEvents, SayHowLateTheyAreInTheOrderInWhichTheyWereMade) {
  LateEvents late;
  late.keep({alarm(3000)});
  late.keep({alarm(1000), alarm(2000)});
  const auto taken = late.take(5000);
  ASSERT_EQ(taken.events.size(), 3U);
  EXPECT_EQ(taken.lost, 0U);
  EXPECT_EQ(taken.events[0].details, (Details{{"made", "1000"}, {"late_ms", "4000"}}));
  EXPECT_EQ(taken.events[1].details, (Details{{"made", "2000"}, {"late_ms", "3000"}}));
  EXPECT_EQ(taken.events[2].details, (Details{{"made", "3000"}, {"late_ms", "2000"}}));
  for (const core::Event& event : taken.events) EXPECT_EQ(event.time_ms, 5000);
  EXPECT_TRUE(late.take(6000).events.empty());
}

TEST(LateEvents, KeptAgainAreLaterStill) {
  LateEvents late;
  late.keep({alarm(1000)});
  late.keep(late.take(5000).events);
  const auto taken = late.take(9000);
  ASSERT_EQ(taken.events.size(), 1U);
  EXPECT_EQ(taken.events[0].details, (Details{{"made", "1000"}, {"late_ms", "8000"}}));
}

TEST(LateEvents, OfTooManyTheFirstAreKeptAndTheRestIsCounted) {
  LateEvents late;
  for (std::size_t i = 0; i < LateEvents::kMaxKept + 7; ++i) late.keep({alarm(1000)});
  const auto taken = late.take(5000);
  EXPECT_EQ(taken.events.size(), LateEvents::kMaxKept);
  EXPECT_EQ(taken.lost, 7U);
  EXPECT_EQ(late.take(5000).lost, 0U);
}

}  // namespace
}  // namespace cardvault::daemon
