#include "vault/daemon/bounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace cardvault::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Config config() {
  using enum core::Permission;
  Config out;
  out.gates.push_back(
      {"/run/web.sock",
       991,
       {"web",
        {"web", "sms"},
        {static_cast<std::uint32_t>(kTokenize) | static_cast<std::uint32_t>(kCardsRead)}}});
  return out;
}

// What a change of the configuration goes beyond.
std::vector<std::string> beyond_after(const std::function<void(Config&)>& change) {
  Config changed = config();
  change(changed);
  return beyond(bounds_of(config()), bounds_of(changed));
}

TEST(Bounds, TheSameAndLessAreWithinThem) {
  EXPECT_THAT(beyond_after([](Config&) {}), IsEmpty());
  EXPECT_THAT(beyond_after([](Config& c) {
                c.gates[0].ceiling.clients = {"web"};
                c.gates[0].ceiling.permissions.bits = 1;
                c.settings.reveal.client_per_day -= 1;
              }),
              IsEmpty());
  EXPECT_THAT(beyond_after([](Config& c) { c.gates.clear(); }), IsEmpty());
}

TEST(Bounds, EachThingBeyondThemIsNamed) {
  EXPECT_THAT(beyond_after([](Config& c) { c.gates[0].ceiling.clients.emplace_back("*"); }),
              ElementsAre("gate \"web\" would have more clients: *"));
  EXPECT_THAT(beyond_after([](Config& c) {
                c.gates[0].ceiling.permissions.bits |=
                    static_cast<std::uint32_t>(core::Permission::kDetokenize);
              }),
              ElementsAre("gate \"web\" would have more permissions: detokenize"));
  EXPECT_THAT(beyond_after([](Config& c) { c.gates[0].socket = "/run/processor.sock"; }),
              ElementsAre(HasSubstr("socket /run/processor.sock instead of /run/web.sock")));
  EXPECT_THAT(beyond_after([](Config& c) { c.gates[0].uid = -1; }),
              ElementsAre(HasSubstr("uid any instead of 991")));
  EXPECT_THAT(beyond_after([](Config& c) {
                c.gates.push_back(c.gates[0]);
                c.gates[1].ceiling.gate = "second";
              }),
              ElementsAre(HasSubstr("gate \"second\" is new")));
}

TEST(Bounds, NoLimitIsBeyondAnyLimit) {
  EXPECT_THAT(beyond_after([](Config& c) { c.settings.reveal.client_per_hour = 0; }),
              ElementsAre("reveal.client_per_hour would be 0 instead of 1000"));
  EXPECT_THAT(beyond_after([](Config& c) { c.settings.rate_per_s += 1; }),
              ElementsAre(HasSubstr("limits.rate_per_s")));
}

TEST(Bounds, AnyClientHoldsEveryClient) {
  Config any = config();
  any.gates[0].ceiling.clients = {"*"};
  EXPECT_THAT(beyond(bounds_of(any), bounds_of(config())), IsEmpty());
}

TEST(Bounds, ComeBackFromTheStoreAsTheyWere) {
  Config odd = config();
  odd.gates[0].socket = "/run/a b=c%.sock";
  const ActArguments bounds = bounds_of(odd);
  EXPECT_EQ(decode_bounds(encode_bounds(bounds)), bounds);
  EXPECT_THAT(beyond(decode_bounds(""), bounds), Not(IsEmpty()));
}

TEST(Bounds, OfAGateThatMovedAreThoseApprovedAtItsNewPlace) {
  Config there = config();
  there.gates[0].socket = "/new/run/web.sock";
  there.gates[0].uid = 4711;
  const auto approved = bounds_of(config());
  EXPECT_THAT(beyond(approved, bounds_of(there)), testing::SizeIs(2));
  const auto moved = moved_bounds(approved, bounds_of(there));
  EXPECT_THAT(beyond(moved, bounds_of(there)), IsEmpty());
  // No right comes with the move, and no gate.
  there.gates[0].ceiling.permissions.bits = UINT32_MAX;
  there.gates[0].ceiling.clients = {"anybody"};
  there.gates.push_back(there.gates[0]);
  there.gates.back().ceiling.gate = "more";
  EXPECT_EQ(moved_bounds(approved, bounds_of(there)), moved);
}

}  // namespace
}  // namespace cardvault::daemon
