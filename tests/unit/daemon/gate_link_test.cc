// The gate protocol spoken by hand: what a taken gate could try.
#include "vault/daemon/gate_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/daemon/test_vault.h"

namespace cardvault::daemon {
namespace {

// The listening side of a gate, in the test's hands.
class HandMadeGate {
 public:
  explicit HandMadeGate(const std::string& path) : listener_(std::move(*listen_unix(path))) {}

  // Accepts the vault and greets it.
  void greet(std::uint32_t version = wire::kProtocolVersion) {
    peer_ = Fd(::accept(listener_.get(), nullptr, nullptr));
    frames_ = {};
    timeval patience{10, 0};
    ::setsockopt(peer_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    const auto hello = read();
    ASSERT_TRUE(hello);
    base::SecretBuffer out;
    wire::encode(out, 0, wire::Hello{version, "test"});
    ASSERT_TRUE(send_all(peer_, out, 1000));
  }

  void send(std::uint64_t id, const core::Caller& caller, const core::Request& request) {
    base::SecretBuffer out;
    wire::encode(out, id, caller, request);
    ASSERT_TRUE(send_all(peer_, out, 1000));
  }
  void send_bytes(std::span<const std::uint8_t> bytes) {
    static_cast<void>(send_all(peer_, bytes, 1000));
  }

  // The next frame's payload, or nothing when the vault has hung up.
  std::optional<std::vector<std::uint8_t>> read() {
    for (;;) {
      auto frame = frames_.next();
      if (!frame) return std::nullopt;
      if (*frame)
        return std::vector<std::uint8_t>((*frame)->payload.begin(), (*frame)->payload.end());
      const auto room = frames_.space();
      const ssize_t n = ::recv(peer_.get(), room.data(), room.size(), 0);
      if (n <= 0) return std::nullopt;
      frames_.filled(static_cast<std::size_t>(n));
    }
  }
  core::Answer answer() {
    const auto payload = read();
    if (!payload) return core::Failure{base::Code::kVaultUnavailable, 0};
    return std::move(*wire::decode_answer(*payload));
  }

 private:
  Fd listener_;
  Fd peer_;
  wire::FrameReader frames_;
};

core::Caller caller(std::uint8_t pin) {
  core::Caller c;
  c.spki_sha256[31] = pin;
  c.source = "192.0.2.7";
  return c;
}

core::Detokenize reveal(const std::string& token) {
  core::Detokenize request;
  request.items.push_back({token, "payment", false, "", {}});
  return request;
}

class GateLinkTest : public testing::Test {
 protected:
  GateLinkTest() : path_((vault_.dir / "gate.sock").string()), gate_(path_) {}

  GateConfig web_gate() const {
    using enum core::Permission;
    const auto bits =
        static_cast<std::uint32_t>(kTokenize) | static_cast<std::uint32_t>(kCardsRead);
    return {path_, static_cast<std::int64_t>(::getuid()), {"web", {"web"}, {bits}}};
  }
  std::unique_ptr<GateLink> link(const GateConfig& config) {
    return std::make_unique<GateLink>(
        config,
        [this](const core::Ceiling& ceiling, wire::GateRequest request, Engine::Reply reply) {
          vault_.engine->submit(ceiling, std::move(request), std::move(reply));
        },
        vault_.floods, vault_.outboxes, [] { return core::ReadyAnswer{true, "ready", {}}; });
  }

  TestVault vault_;
  std::string path_;
  HandMadeGate gate_;
};

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
  gate_.send(2, {}, core::Flood{"192.0.2.9", "4111111111111111 is free text", 1});
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
