// A gate in a test's hands, which speaks the gate protocol as a taken one could.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/unit/daemon/test_vault.h"
#include "vault/daemon/gate_link.h"

namespace cardvault::daemon {

// The listening side of a gate, in the test's hands.
class HandMadeGate {
 public:
  explicit HandMadeGate(const std::string& path) : listener_(std::move(*listen_unix(path))) {}

  void accept() {
    peer_ = Fd(::accept(listener_.get(), nullptr, nullptr));
    frames_ = {};
    timeval patience{60, 0};
    ::setsockopt(peer_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }
  // Accepts the vault and greets it.
  void greet(std::uint32_t version = wire::kProtocolVersion) {
    accept();
    const auto hello = read();
    ASSERT_TRUE(hello);
    base::SecretBuffer out;
    wire::encode(out, 0, wire::Hello{version, "test"});
    ASSERT_TRUE(send_all(peer_, out, 20'000));
  }

  void send(std::uint64_t id, const core::Caller& caller, const core::Request& request) {
    base::SecretBuffer out;
    wire::encode(out, id, caller, request);
    ASSERT_TRUE(send_all(peer_, out, 20'000));
  }
  // False when the vault has hung up.
  bool send_bytes(std::span<const std::uint8_t> bytes) {
    return send_all(peer_, bytes, 20'000).has_value();
  }
  // Who waits for this gate hears that it is gone.
  void close() {
    listener_.reset();
    peer_.reset();
  }
  [[nodiscard]] const Fd& listener() const { return listener_; }

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

inline core::Caller caller(std::uint8_t pin) {
  core::Caller c;
  c.spki_sha256[31] = pin;
  c.source = "192.0.2.7";
  return c;
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
    return std::make_unique<GateLink>(config, submit(), vault_.floods, vault_.outboxes, ready);
  }
  GateLink::Submit submit() {
    return [this](const core::Ceiling& ceiling, wire::GateRequest request, Engine::Reply reply) {
      vault_.engine->submit(ceiling, std::move(request), std::move(reply));
    };
  }
  static core::ReadyAnswer ready() { return {true, "ready", {}}; }

  TestVault vault_;
  std::string path_;
  HandMadeGate gate_;
};

}  // namespace cardvault::daemon
