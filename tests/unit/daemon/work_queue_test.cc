#include "vault/daemon/work_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <map>
#include <semaphore>
#include <thread>

#include "tests/unit/daemon/test_vault.h"

namespace cardvault::daemon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class WorkQueueTest : public testing::Test {
 protected:
  std::unique_ptr<core::Operation> operation(const std::string& name) {
    auto made = std::make_unique<core::RefusalOperation>(
        vault_.services, core::Event{}, core::Failure{base::Code::kPermissionDenied, 0});
    names_[made.get()] = name;
    return made;
  }
  bool push(WorkQueue& queue, const std::string& gate, std::uint32_t calls = 1) {
    auto made = operation(gate);
    return queue.push({gate, calls}, made);
  }
  std::vector<std::string> names(const WorkQueue::Operations& taken) {
    std::vector<std::string> out;
    for (const auto& one : taken) out.push_back(names_[one.get()]);
    return out;
  }

  TestVault vault_;
  std::map<const core::Operation*, std::string> names_;
};

TEST_F(WorkQueueTest, EachGateHasItsOwnBound) {
  WorkQueue queue(4);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(push(queue, "web"));
  EXPECT_FALSE(push(queue, "web"));
  EXPECT_TRUE(push(queue, "processor"));
  EXPECT_EQ(queue.take(64).size(), 5U);
  EXPECT_TRUE(push(queue, "web"));
}

TEST_F(WorkQueueTest, TellsHowManyWaitOfEachGate) {
  WorkQueue queue(100);
  EXPECT_THAT(queue.waiting(), IsEmpty());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(push(queue, "web"));
  EXPECT_TRUE(push(queue, "processor"));
  EXPECT_THAT(queue.waiting(), ElementsAre(Pair("processor", 1U), Pair("web", 3U)));
  EXPECT_EQ(queue.take(64).size(), 4U);
  EXPECT_THAT(queue.waiting(), ElementsAre(Pair("processor", 0U), Pair("web", 0U)));
}

TEST_F(WorkQueueTest, GatesTakeTurns) {
  WorkQueue queue(100);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(push(queue, "web"));
  EXPECT_EQ(queue.take(10).size(), 10U);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(push(queue, "processor"));
  EXPECT_THAT(names(queue.take(8)), ElementsAre("processor", "web", "processor", "web", "processor",
                                                "web", "web", "web"));
}

TEST_F(WorkQueueTest, TurnsCostAlike) {
  WorkQueue queue(100);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(push(queue, "web", 4));
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(push(queue, "processor", 1));
  EXPECT_THAT(names(queue.take(7)), ElementsAre("web", "processor", "processor", "processor",
                                                "processor", "web", "processor"));
}

TEST_F(WorkQueueTest, AGateThatHadNothingToDoHasSavedUpNothing) {
  WorkQueue queue(100);
  EXPECT_TRUE(push(queue, "processor"));
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(push(queue, "web"));
  EXPECT_EQ(queue.take(50).size(), 50U);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(push(queue, "processor"));
  EXPECT_THAT(names(queue.take(4)), ElementsAre("processor", "processor", "web", "processor"));
}

TEST_F(WorkQueueTest, OneTakeIsNotAllThatCosts) {
  WorkQueue queue(1000);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(push(queue, "web", 3000));
  EXPECT_EQ(queue.take(64).size(), 1U);
}

TEST_F(WorkQueueTest, WhatWaitsIsBoundedByItsCostToo) {
  WorkQueue queue(100);  // 4,800 calls
  EXPECT_TRUE(push(queue, "web", 3000));
  EXPECT_TRUE(push(queue, "web", 3000));
  EXPECT_FALSE(push(queue, "web", 1));
  EXPECT_TRUE(push(queue, "processor", 3000));
}

TEST_F(WorkQueueTest, ASecondTryGoesAheadOfItsGatesOthers) {
  WorkQueue queue(1);
  EXPECT_TRUE(push(queue, "web"));
  auto again = operation("again");
  EXPECT_TRUE(queue.push_again({"web", 1}, again));
  EXPECT_THAT(names(queue.take(2)), ElementsAre("again", "web"));
}

TEST_F(WorkQueueTest, ClosedItHandsOutWhatWaitsAndThenGivesUp) {
  WorkQueue queue(100);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(push(queue, "web"));
  queue.close();
  EXPECT_FALSE(push(queue, "web"));
  EXPECT_EQ(queue.take(1).size(), 1U);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(10);
  EXPECT_EQ(queue.leave(deadline).size(), 2U);
  EXPECT_TRUE(queue.take(1).empty());
}

// As an engine with two workers has it, both at work for the web gate.
class BusyVault {
 public:
  BusyVault() {
    core::Client client;
    client.id = "busy";
    client.spki_sha256 = std::string(63, '0') + static_cast<char>('0' + kBusy);
    client.permissions = *core::Permissions::parse({"audit.read"});
    vault_.clients.put(client);
    vault_.services.read_log = [this](const core::AuditRead&) {
      working_.release();
      release_.wait();
      return core::AuditPiece{1, "x"};
    };
    for (int i = 0; i < 2; ++i) {
      ask("web", kBusy, core::AuditRead{"checkpoint", 0});
      working_.acquire();
    }
  }
  void ask(const char* gate, std::uint8_t pin, core::Request request) {
    wire::GateRequest in;
    in.caller.spki_sha256[31] = pin;
    in.request = std::move(request);
    vault_.engine->submit({gate, {"*"}, {UINT32_MAX}}, std::move(in),
                          [this, gate = std::string(gate)](core::Response response) {
                            const std::scoped_lock lock(mutex_);
                            ++outcomes_[gate + " " + outcome_name(response.answer())];
                          });
  }
  void release() { release_.count_down(); }
  std::map<std::string, int> outcomes() {
    const std::scoped_lock lock(mutex_);
    return outcomes_;
  }

 private:
  static constexpr std::uint8_t kBusy = 7;
  std::binary_semaphore working_{0};
  std::latch release_{1};
  std::mutex mutex_;
  std::map<std::string, int> outcomes_;
  TestVault vault_;  // its threads end first
};

TEST(WorkQueues, OfOneGateThatIsFullTurnsAwayNobodyElse) {
  BusyVault busy;
  for (int i = 0; i < 5000; ++i) busy.ask("web", TestVault::kWeb, core::Whoami{});
  EXPECT_GT(busy.outcomes()["web overloaded"], 0);
  busy.ask("processor", TestVault::kProcessor, core::Whoami{});
  EXPECT_EQ(busy.outcomes()["processor overloaded"], 0);
  busy.release();
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (busy.outcomes()["processor ok"] == 0 && std::chrono::steady_clock::now() < patience) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(busy.outcomes()["processor ok"], 1);
}

}  // namespace
}  // namespace cardvault::daemon
