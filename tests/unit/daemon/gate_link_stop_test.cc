// Whatever a gate does, an operator's seal or stop doesn't wait for it.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <list>
#include <thread>

#include "tests/unit/daemon/hand_made_gate.h"

namespace cardvault::daemon {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

// Two seconds to finish what was begun, and the rest for a machine that is busy.
constexpr auto kSoon = 12s;

class GateLinkStop : public GateLinkTest {
 protected:
  // Whether the link ends soon; makes it end, so that the test does.
  bool ends_soon(std::unique_ptr<GateLink> link) {
    auto ended = std::async(std::launch::async, [&] { link.reset(); });
    const bool soon = ended.wait_for(kSoon) == std::future_status::ready;
    gate_.close();
    return soon;
  }
  // The Hello's first bytes: it is to be one of 1,000 bytes.
  void begin_hello() { gate_.send_bytes(std::vector<std::uint8_t>{0xe8, 0x03, 0, 0, 1}); }
  bool drip() { return gate_.send_bytes(std::vector<std::uint8_t>{0}); }
  // Of which the answers don't fit into a socket.
  static constexpr std::uint64_t kMuch = 20'000;
  static void ask_much(HandMadeGate& gate) {
    for (std::uint64_t id = 1; id <= kMuch; ++id) gate.send(id, {}, core::ReadyCheck{});
  }
};

TEST_F(GateLinkStop, WhereTheGateDoesNotAccept) {
  ASSERT_EQ(::listen(gate_.listener().get(), 0), 0);
  const auto first = connect_unix(path_);  // fills the backlog
  ASSERT_TRUE(first);
  auto link = this->link(web_gate());
  std::this_thread::sleep_for(200ms);
  EXPECT_TRUE(ends_soon(std::move(link)));
}

TEST_F(GateLinkStop, WhereTheGateDripsItsHello) {
  auto link = this->link(web_gate());
  gate_.accept();
  begin_hello();
  std::this_thread::sleep_for(200ms);
  const auto begun = SteadyClock::now();
  const std::jthread dripping([this](const std::stop_token& stop) {
    while (!stop.stop_requested() && drip()) std::this_thread::sleep_for(100ms);
  });
  link.reset();
  EXPECT_LT(SteadyClock::now() - begun, 4s) << "a Hello has five";
}

TEST_F(GateLinkStop, WhereTheGateDoesNotReadItsAnswers) {
  auto link = this->link(web_gate());
  gate_.greet();
  ask_much(gate_);
  EXPECT_TRUE(ends_soon(std::move(link)));
}

TEST_F(GateLinkStop, WhereSeveralGatesDoNotReadTheirAnswers) {
  std::list<HandMadeGate> gates;
  std::list<GateLink> links;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    GateConfig config = web_gate();
    config.socket = (vault_.dir / name).string();
    links.emplace_back(config, submit(), vault_.floods, vault_.outboxes, ready);
    gates.emplace_back(config.socket).greet();
    ask_much(gates.back());
  }
  const auto begun = SteadyClock::now();
  finish(links);
  EXPECT_LT(SteadyClock::now() - begun, kSoon);
}

// One that is slow in reading has its answers although another doesn't read at all.
TEST_F(GateLinkStop, ASlowGateHasItsAnswersBesideOneThatDoesNotRead) {
  std::list<GateLink> links;
  GateConfig other = web_gate();
  other.socket = (vault_.dir / "other").string();
  HandMadeGate slow(other.socket);
  std::atomic<std::uint64_t> asked = 0;
  for (const GateConfig& config : {web_gate(), other}) {
    links.emplace_back(config, submit(), vault_.floods, vault_.outboxes, [&] {
      ++asked;
      return ready();
    });
  }
  gate_.greet();
  slow.greet();
  ask_much(gate_);
  ask_much(slow);
  while (asked < 2 * kMuch) std::this_thread::sleep_for(10ms);
  auto ended = std::async(std::launch::async, [&] { finish(links); });
  std::uint64_t answers = 0;
  while (slow.read()) ++answers;
  EXPECT_EQ(answers, kMuch);
  ended.get();
}

TEST_F(GateLinkStop, AHelloHasFiveSecondsInAll) {
  const auto link = this->link(web_gate());
  gate_.accept();
  const auto begun = SteadyClock::now();
  begin_hello();
  while (drip() && SteadyClock::now() - begun < 60s) std::this_thread::sleep_for(50ms);
  EXPECT_LT(SteadyClock::now() - begun, 30s);
}

}  // namespace
}  // namespace cardvault::daemon
