// The gate protocol spoken by hand: what a taken gate could try.
#include "vault/daemon/gate_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/daemon/hand_made_gate.h"

namespace cardvault::daemon {
namespace {

core::Detokenize reveal(const std::string& token) {
  core::Detokenize request;
  request.items.push_back({token, "payment", false, "", {}});
  return request;
}

TEST_F(GateLinkTest, ClaimingAnotherGatesClientGetsNothing) {
  const std::string token = vault_.token("4111111111111111", "+77011234567");
  const auto link = this->link(web_gate());
  gate_.greet();
  gate_.send(1, caller(TestVault::kProcessor), reveal(token));
  EXPECT_EQ(outcome_name(gate_.answer()), "permission_denied");
  gate_.send(2, caller(TestVault::kWeb), reveal(token));
  EXPECT_EQ(outcome_name(gate_.answer()), "permission_denied");
  gate_.send(3, caller(TestVault::kStranger), reveal(token));
  EXPECT_EQ(outcome_name(gate_.answer()), "client_unknown");
  EXPECT_EQ(vault_.count_in_log("\"op\":\"detokenize\",\"outcome\":\"ok\""), 0U);
  EXPECT_EQ(vault_.count_in_log("\"op\":\"detokenize\",\"outcome\":\"permission_denied\""), 2U);
}

// Whatever a taken gate says: the log is read through the auditors' gate alone.
TEST_F(GateLinkTest, TheLogIsNotReadThroughAnotherGate) {
  constexpr std::uint8_t kAuditor = 5;
  for (const auto& [id, pin] :
       {std::pair{"auditor", kAuditor}, std::pair{"web", TestVault::kWeb}}) {
    core::Client client;
    client.id = id;
    client.spki_sha256 = std::string(63, '0') + static_cast<char>('0' + pin);
    client.permissions = *core::Permissions::parse({"audit.read", "tokenize"});
    vault_.clients.put(client);
  }
  vault_.services.read_log = [](const core::AuditRead&) { return core::AuditPiece{1, "x"}; };
  const auto link = this->link(web_gate());
  gate_.greet();
  std::uint64_t id = 0;
  for (const std::uint8_t pin : {kAuditor, TestVault::kWeb, TestVault::kStranger}) {
    for (const char* path : {"checkpoint", "tile/0/000"}) {
      gate_.send(++id, caller(pin), core::AuditRead{path, 0});
      EXPECT_THAT(outcome_name(gate_.answer()),
                  testing::AnyOf("permission_denied", "client_unknown"));
    }
  }
  EXPECT_EQ(vault_.count_in_log("\"op\":\"audit.read\",\"outcome\":\"ok\""), 0U);
  auto auditors = web_gate();
  auditors.ceiling.clients = {"auditor"};
  auditors.ceiling.permissions = *core::Permissions::parse({"audit.read"});
  link->set_ceiling_of(auditors.ceiling);
  gate_.send(++id, caller(kAuditor), core::AuditRead{"checkpoint", 0});
  EXPECT_EQ(outcome_name(gate_.answer()), "ok");
}

TEST_F(GateLinkTest, AnswersItsOwnClientsAndReadyChecks) {
  const auto link = this->link(web_gate());
  gate_.greet();
  gate_.send(1, {}, core::ReadyCheck{});
  EXPECT_TRUE(std::get<core::ReadyAnswer>(gate_.answer()).ready);
  gate_.send(2, caller(TestVault::kWeb), one(item("4111111111111111", "+77011234567")));
  const auto answer = gate_.answer();
  EXPECT_EQ(outcome_name(std::get<core::TokenizeAnswer>(answer).items.at(0)), "ok");
}

TEST_F(GateLinkTest, ANarrowedCeilingHoldsFromTheNextRequestOn) {
  const auto link = this->link(web_gate());
  gate_.greet();
  link->set_ceiling_of({"other", {}, {}});  // another gate's: no effect
  gate_.send(1, caller(TestVault::kWeb), core::Whoami{});
  EXPECT_EQ(outcome_name(gate_.answer()), "ok");
  link->set_ceiling_of({"web", {}, {}});
  gate_.send(2, caller(TestVault::kWeb), core::Whoami{});
  EXPECT_EQ(outcome_name(gate_.answer()), "permission_denied");
}

TEST_F(GateLinkTest, GarbageEndsTheConnectionAndTheVaultComesBack) {
  const auto link = this->link(web_gate());
  gate_.greet();
  gate_.send_bytes(std::vector<std::uint8_t>(64, 0xff));
  EXPECT_FALSE(gate_.read());
  gate_.greet();
  gate_.send(1, {}, core::ReadyCheck{});
  EXPECT_TRUE(std::get<core::ReadyAnswer>(gate_.answer()).ready);
}

TEST_F(GateLinkTest, AnotherProtocolVersionIsNotServed) {
  const auto link = this->link(web_gate());
  gate_.greet(wire::kProtocolVersion + 1);
  EXPECT_FALSE(gate_.read());
  EXPECT_FALSE(link->connected());
}

TEST_F(GateLinkTest, AGateOfAnotherUserIsNotGreeted) {
  GateConfig config = web_gate();
  config.uid = 4'000'000'000;
  const auto link = this->link(config);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_FALSE(link->connected());
}

TEST_F(GateLinkTest, FloodsAreCountedUnderTheGatesName) {
  const auto link = this->link(web_gate());
  gate_.greet();
  gate_.send(1, {}, core::Flood{"192.0.2.9", "tls_handshake", 17});
  gate_.send(2, {}, core::Flood{"192.0.2.9", "made_up", 1});
  gate_.send(3, {}, core::ReadyCheck{});
  static_cast<void>(gate_.answer());  // in order: the floods were taken before
  const auto events = vault_.floods.take(1);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].actor, "gate:web");
  EXPECT_EQ(events[0].outcome, "tls_handshake");
  EXPECT_EQ(events[1].outcome, "unnamed");
}

}  // namespace
}  // namespace cardvault::daemon
