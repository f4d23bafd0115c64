#include "vault/daemon/overdue_events.h"

#include <gtest/gtest.h>

#include "vault/audit/event_codec.h"

namespace cardvault::daemon {
namespace {

constexpr std::int64_t kStart_ms = 1'795'000'000'000;

struct Waiting {
  std::int64_t after_ms;
  const char* operation;
  const char* outcome = "ok";
  const char* gate = "";
};

bool overdue(const std::vector<Waiting>& events) {
  std::vector<store::LogLine> lines;
  for (const Waiting& one : events) {
    core::Event event;
    event.time_ms = kStart_ms + one.after_ms;
    event.actor = "system";
    event.operation = one.operation;
    event.outcome = one.outcome;
    event.gate = one.gate;
    lines.push_back({lines.size() + 100, ""});
    audit::append_event(lines.back().json, lines.back().seq, event);
  }
  return are_overdue(lines);
}

TEST(OverdueEvents, WhatAKillLeavesIsNot) {
  EXPECT_FALSE(overdue({}));
  EXPECT_FALSE(overdue({{0, "tokenize", "ok", "web"}, {1200, "detokenize", "ok", "processor"}}));
  EXPECT_FALSE(overdue({{0, "tokenize", "ok", "web"}, {3'600'000, "start"}}));
}

TEST(OverdueEvents, WhatTheToolDidOnAStoppedVaultIsNot) {
  EXPECT_FALSE(overdue({{0, "client.add", "ok", "admin"}, {60'000, "client.add", "ok", "admin"}}));
}

TEST(OverdueEvents, AStopOrOlderRequestsAre) {
  EXPECT_TRUE(overdue({{0, "stop"}, {3'600'000, "start"}}));
  EXPECT_TRUE(overdue({{0, "tokenize", "ok", "web"}, {5'001, "tokenize", "ok", "web"}}));
}

TEST(OverdueEvents, AnAlarmThatSaysWhyIsEnough) {
  EXPECT_FALSE(overdue({{0, "alarm", "hsm_stuck"}, {1, "stop"}}));
  EXPECT_FALSE(overdue({{0, "tokenize", "ok", "web"},
                        {900, "alarm", "log_unpublished"},
                        {9'000, "tokenize", "ok", "web"}}));
  EXPECT_TRUE(overdue({{0, "alarm", "siem_lost"}, {1, "stop"}}));
}

}  // namespace
}  // namespace cardvault::daemon
