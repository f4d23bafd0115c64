#include "provisioning/socket_backend.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include "provisioning/exit_code.h"

namespace cardvault::provisioning {
namespace {

// The other end: takes one connection and does with it what a test says.
class FakeVault {
 public:
  explicit FakeVault(std::function<void(int)> serve) {
    std::string name = testing::TempDir() + "vaultXXXXXX";
    dir_ = ::mkdtemp(name.data());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path().c_str(), path().size());
    listener_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    thread_ = std::thread([this, serve = std::move(serve)] {
      const int fd = ::accept(listener_, nullptr, nullptr);
      serve(fd);
      ::close(fd);
    });
  }
  FakeVault(const FakeVault&) = delete;
  FakeVault& operator=(const FakeVault&) = delete;
  ~FakeVault() {
    thread_.join();
    ::close(listener_);
    std::filesystem::remove_all(dir_);
  }
  [[nodiscard]] std::string path() const { return dir_ + "/s"; }

 private:
  std::string dir_;
  int listener_;
  std::thread thread_;
};

void write_all(int fd, const base::SecretBuffer& bytes) {
  EXPECT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

// The next frame that came; its payload is copied.
std::pair<std::uint64_t, base::SecretBuffer> read_frame(int fd, wire::FrameReader& reader) {
  for (;;) {
    if (const auto frame = reader.next(); frame && *frame) {
      return {(*frame)->id, {(*frame)->payload.begin(), (*frame)->payload.end()}};
    }
    const auto space = reader.space();
    const ssize_t n = ::recv(fd, space.data(), space.size(), 0);
    if (n <= 0) return {};
    reader.filled(static_cast<std::size_t>(n));
  }
}

void greet(int fd, wire::FrameReader& reader, std::uint32_t version = wire::kProtocolVersion) {
  (void)read_frame(fd, reader);
  base::SecretBuffer out;
  wire::encode(out, 0, wire::Hello{version, "cardvaultd"});
  write_all(fd, out);
}

wire::AdminRequest request(const char* verb) {
  wire::AdminRequest made;
  made.verb = verb;
  return made;
}

TEST(SocketBackend, PassesPartsOnAndReturnsTheLastAnswer) {
  const FakeVault vault([](int fd) {
    wire::FrameReader reader;
    greet(fd, reader);
    const auto [id, payload] = read_frame(fd, reader);
    const auto asked = wire::decode_admin_request(payload);
    ASSERT_TRUE(asked);
    wire::AdminAnswer answer;
    answer.message = asked->verb;
    answer.more = true;
    base::SecretBuffer out;
    ASSERT_TRUE(wire::encode(out, id, answer));
    answer.more = false;
    ASSERT_TRUE(wire::encode(out, id, answer));
    write_all(fd, out);
  });
  const auto line = SocketBackend::connect(vault.path());
  ASSERT_NE(line, nullptr);
  int parts = 0;
  const auto answer = line->run(request("status"), [&](const wire::AdminAnswer&) { ++parts; });
  EXPECT_EQ(answer.message, "status");
  EXPECT_EQ(parts, 1);
}

TEST(SocketBackend, SaysNothingListensWithoutFailing) {
  EXPECT_EQ(SocketBackend::connect(testing::TempDir() + "no-such-socket"), nullptr);
}

TEST(SocketBackend, NoticesAVaultThatDies) {
  const FakeVault vault([](int fd) {
    wire::FrameReader reader;
    greet(fd, reader);
    (void)read_frame(fd, reader);
  });
  const auto line = SocketBackend::connect(vault.path());
  try {
    (void)line->run(request("status"), [](const wire::AdminAnswer&) {});
    FAIL() << "an answer that never came was returned";
  } catch (const ToolError& problem) {
    EXPECT_EQ(problem.code(), ExitCode::kUnreachable);
  }
}

TEST(SocketBackend, RefusesAnotherProtocolVersion) {
  const FakeVault vault([](int fd) {
    wire::FrameReader reader;
    greet(fd, reader, 99);
  });
  EXPECT_THROW((void)SocketBackend::connect(vault.path()), ToolError);
}

TEST(SocketBackend, TellsWhyAStrangerIsRefused) {
  const FakeVault vault([](int fd) {
    wire::FrameReader reader;
    (void)read_frame(fd, reader);
    wire::AdminAnswer answer;
    answer.ok = false;
    answer.message = "not an operator";
    base::SecretBuffer out;
    ASSERT_TRUE(wire::encode(out, 0, answer));
    write_all(fd, out);
  });
  try {
    (void)SocketBackend::connect(vault.path());
    FAIL() << "a refusal went unnoticed";
  } catch (const ToolError& problem) {
    EXPECT_EQ(problem.code(), ExitCode::kRefused);
    EXPECT_STREQ(problem.what(), "not an operator");
  }
}

}  // namespace
}  // namespace cardvault::provisioning
