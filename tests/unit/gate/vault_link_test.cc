#include "protocol/gate/vault_link.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace cardvault::gate {
namespace {

// A link whose other end, the vault, is the test itself; all on one thread.
class VaultLinkTest : public testing::Test {
 protected:
  VaultLinkTest() {
    const std::string path = testing::TempDir() + "vault_link_test-" + std::to_string(::getpid());
    ::unlink(path.c_str());
    std::strncpy(address_.sun_path, path.c_str(), sizeof(address_.sun_path) - 1);
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    EXPECT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address_), sizeof(address_)), 0);
    EXPECT_EQ(::listen(listener, 4), 0);
    link_.emplace(io_, listener, VaultLink::Options{"web", ::getuid()}, metrics_);
    link_->start();
    vault_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_EQ(::connect(vault_, reinterpret_cast<const sockaddr*>(&address_), sizeof(address_)), 0);
    io_.poll();
  }
  ~VaultLinkTest() override {
    link_->stop();
    io_.run_for(std::chrono::seconds(5));
    ::close(vault_);
  }

  void greet() {
    base::SecretBuffer hello;
    wire::encode(hello, 0, wire::Hello{wire::kProtocolVersion, "cardvaultd"});
    ASSERT_EQ(::send(vault_, hello.data(), hello.size(), 0), static_cast<ssize_t>(hello.size()));
    io_.poll();
    ASSERT_TRUE(link_->up());
  }

  // The next frame that the vault gets; nothing when the gate has hung up.
  std::optional<wire::Frame> receive() {
    for (;;) {
      auto frame = reader_.next();
      if (!frame) return std::nullopt;
      if (frame->has_value()) return **frame;
      const auto space = reader_.space();
      const ssize_t n = ::recv(vault_, space.data(), space.size(), 0);
      if (n <= 0) return std::nullopt;
      reader_.filled(static_cast<std::size_t>(n));
    }
  }

  // Whether the gate has hung up by now.
  bool over() {
    io_.poll();
    std::array<char, 256> bytes;
    ssize_t n = 0;
    while ((n = ::recv(vault_, bytes.data(), bytes.size(), MSG_DONTWAIT)) > 0) continue;
    return n == 0;
  }

  asio::io_context io_{1};
  Metrics metrics_;
  sockaddr_un address_{.sun_family = AF_UNIX, .sun_path = {}};
  std::optional<VaultLink> link_;
  wire::FrameReader reader_;
  int vault_ = -1;
};

TEST_F(VaultLinkTest, FloodsWaitForNoAnswer) {
  greet();
  const core::Flood flood{"192.0.2.1", "tls_handshake", 3};
  for (std::size_t i = 0; i <= Pending::kMax; ++i) ASSERT_TRUE(link_->tell(flood)) << i;
  io_.poll();
  EXPECT_EQ(receive()->type, wire::FrameType::kHello);
  const auto frame = receive();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->id, 0U);
  const auto request = wire::decode_request(frame->payload);
  ASSERT_TRUE(request);
  EXPECT_EQ(std::get<core::Flood>(request->request).count, 3U);
}

TEST_F(VaultLinkTest, AVaultThatSaysNoHelloIsSentAway) {
  for (int i = 0; i < 5; ++i) {
    link_->tick();
    EXPECT_FALSE(over()) << i;
  }
  link_->tick();
  EXPECT_TRUE(over());
}

TEST_F(VaultLinkTest, AVaultThatSaidHelloStays) {
  greet();
  for (int i = 0; i < 10; ++i) link_->tick();
  EXPECT_FALSE(over());
}

TEST_F(VaultLinkTest, AStopDoesNotWaitForAVaultThatSaysNoHello) {
  link_->stop();
  io_.run_for(std::chrono::seconds(5));
  EXPECT_TRUE(io_.stopped()) << "somebody still waits";
}

}  // namespace
}  // namespace cardvault::gate
