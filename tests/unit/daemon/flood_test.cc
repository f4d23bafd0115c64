#include "vault/daemon/flood.h"

#include <gtest/gtest.h>

#include <map>

namespace cardvault::daemon {
namespace {

std::map<std::string, std::size_t> events_by_actor(const std::vector<core::Event>& events) {
  std::map<std::string, std::size_t> out;
  for (const core::Event& event : events) ++out[event.actor];
  return out;
}

// A taken gate may make up as many sources as it likes.
TEST(Floods, AreOfTheirActor) {
  FloodCounter floods;
  for (int i = 0; i < 5000; ++i) {
    floods.add("gate:web", "source " + std::to_string(i), "tls_version");
    floods.add("gate:web", "source " + std::to_string(i), "tls_expired");
  }
  floods.add("gate:processor", "192.0.2.9", "tls_handshake", 17);
  floods.add("client:processor", "192.0.2.9", "rate_limited");
  const auto events = floods.take(1);
  const auto by_actor = events_by_actor(events);
  EXPECT_LE(by_actor.at("gate:web"), FloodCounter::kMaxSources + 2);
  EXPECT_EQ(by_actor.at("gate:processor"), 1U);
  EXPECT_EQ(by_actor.at("client:processor"), 1U);
  std::uint64_t counted = 0;
  for (const core::Event& event : events) {
    if (event.actor == "gate:web") counted += std::stoull(event.details.front().second);
    if (event.actor == "gate:processor") {
      EXPECT_EQ(event.source, "192.0.2.9");
    }
  }
  EXPECT_EQ(counted, 10'000U);  // nothing goes uncounted
}

}  // namespace
}  // namespace cardvault::daemon
