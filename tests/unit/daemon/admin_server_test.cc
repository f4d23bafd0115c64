#include "vault/daemon/admin_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>

#include "tests/unit/daemon/test_vault.h"

namespace cardvault::daemon {
namespace {

// Answers everything, and counts.
struct Counting : AdminHandler {
  wire::AdminAnswer run(wire::AdminRequest& request, const std::string& /*operator_name*/,
                        const Emit& /*emit*/) override {
    ++asked;
    wire::AdminAnswer answer;
    answer.message = "heard " + request.verb;
    return answer;
  }
  void refuse_stranger(std::uint32_t /*uid*/) override {}

  std::atomic<int> asked = 0;
};

std::string answer_on(const Fd& fd) {
  wire::FrameReader frames;
  for (;;) {
    auto frame = frames.next();
    if (!frame) return "no frame";
    if (*frame) return wire::decode_admin_answer((*frame)->payload)->message;
    const auto room = frames.space();
    const ssize_t n = ::recv(fd.get(), room.data(), room.size(), 0);
    if (n <= 0) return "hung up";
    frames.filled(static_cast<std::size_t>(n));
  }
}

class AdminServerTest : public testing::Test {
 protected:
  // A connection on which a request was sent.
  std::optional<Fd> asking() {
    auto fd = connect_unix(path_);
    if (!fd) return std::nullopt;
    wire::AdminRequest request;
    request.verb = "status";
    base::SecretBuffer out;
    wire::encode(out, 1, request);
    EXPECT_TRUE(send_all(*fd, out, 20'000));
    return std::move(*fd);
  }

  TestVault vault_;
  std::string path_ = (vault_.dir / "admin.sock").string();
  Counting handler_;
};

TEST_F(AdminServerTest, WhoConnectsBeforeItServesIsAnsweredOnceItDoes) {
  AdminServer server(path_, handler_, {});
  const auto fd = asking();
  ASSERT_TRUE(fd);
  ::usleep(50'000);
  EXPECT_EQ(handler_.asked, 0);
  server.start();
  EXPECT_EQ(answer_on(*fd), "heard status");
  EXPECT_EQ(handler_.asked, 1);
}

TEST_F(AdminServerTest, OneThatNeverServedEnds) {
  std::optional<AdminServer> server(std::in_place, path_, handler_, std::vector<Operator>());
  const auto fd = asking();
  ASSERT_TRUE(fd);
  server.reset();
  EXPECT_EQ(answer_on(*fd), "hung up");
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace cardvault::daemon
