#include "vault/daemon/event_feed.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "vault/audit/leaves.h"

namespace cardvault::daemon {
namespace {

using namespace std::chrono_literals;
using Trouble = EventFeed::Trouble;

std::string leaves(std::uint64_t first, std::uint64_t count) {
  std::string blob;
  core::Event event;
  event.actor = "client:web";
  event.operation = "tokenize";
  for (std::uint64_t seq = first; seq < first + count; ++seq) audit::append_leaf(blob, seq, event);
  return blob;
}

// A syslog daemon's socket, in the test's hands.
class Receiver {
 public:
  explicit Receiver(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ::unlink(path.c_str());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    const timeval patience{60, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }
  // The next message; "" when none comes.
  std::string next() {
    std::string line(65536, '\0');
    const ssize_t n = ::recv(socket_.get(), line.data(), line.size(), 0);
    line.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return line;
  }
  // The next event's number.
  std::uint64_t next_seq() {
    const std::string line = next();
    const auto at = line.find(" seq=\"");
    return at == std::string::npos ? UINT64_MAX : std::strtoull(line.c_str() + at + 6, nullptr, 10);
  }

 private:
  Fd socket_;
};

struct Feed : testing::Test {
  Feed() {
    std::string name = (std::filesystem::temp_directory_path() / "cardvault-feed-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    path = (folder / "log").string();
  }
  ~Feed() override { std::filesystem::remove_all(folder); }
  std::unique_ptr<EventFeed> feed(std::size_t queue_bytes = 1 << 20,
                                  std::chrono::milliseconds patience = 50ms) {
    auto made = std::make_unique<EventFeed>(
        EventFeed::Options{
            .socket = path, .enterprise = 32473, .queue_bytes = queue_bytes, .patience = patience},
        [this](Trouble trouble, const EventFeed::Counts& counts) {
          const std::scoped_lock lock(mutex);
          told.emplace_back(trouble, counts.lost);
          changed.notify_all();
        });
    made->start();
    return made;
  }
  bool wait_for(Trouble trouble) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 60s, [&] {
      return std::ranges::any_of(told, [&](const auto& one) { return one.first == trouble; });
    });
  }

  std::filesystem::path folder;
  std::string path;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::pair<Trouble, std::uint64_t>> told;
};

TEST_F(Feed, SendsEachEventOnceAndInOrder) {
  Receiver receiver(path);
  const auto feed = this->feed(1 << 20, 60s);
  feed->add(leaves(0, 3));
  feed->add(leaves(3, 100));
  for (std::uint64_t seq = 0; seq < 103; ++seq) ASSERT_EQ(receiver.next_seq(), seq);
  EXPECT_EQ(feed->counts().lost, 0U);
  const std::scoped_lock lock(mutex);
  EXPECT_TRUE(told.empty());
}

TEST_F(Feed, WaitsForAReceiverThatIsAway) {
  const auto feed = this->feed();
  feed->add(leaves(0, 5));
  ASSERT_TRUE(wait_for(Trouble::kStalled));
  Receiver receiver(path);
  for (std::uint64_t seq = 0; seq < 5; ++seq) ASSERT_EQ(receiver.next_seq(), seq);
  ASSERT_TRUE(wait_for(Trouble::kNone));
  EXPECT_EQ(told.back().second, 0U);
}

TEST_F(Feed, GoesOnWithAReceiverThatReturns) {
  const auto feed = this->feed();
  {
    Receiver receiver(path);
    feed->add(leaves(0, 1));
    ASSERT_EQ(receiver.next_seq(), 0U);
  }
  feed->add(leaves(1, 4));
  ASSERT_TRUE(wait_for(Trouble::kStalled));
  Receiver receiver(path);
  for (std::uint64_t seq = 1; seq < 5; ++seq) ASSERT_EQ(receiver.next_seq(), seq);
}

TEST_F(Feed, DropsAndCountsWhatAHangingReceiverDoesNotTake) {
  Receiver receiver(path);  // reads nothing
  const std::string group = leaves(0, 100);
  const auto feed = this->feed(10 * group.size());
  const auto began = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < 5000; ++i) feed->add(leaves(i * 100, 100));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);  // adding waits for nothing
  ASSERT_TRUE(wait_for(Trouble::kLosing));
  const std::uint64_t lost = feed->counts().lost;
  EXPECT_GT(lost, 0U);
  std::uint64_t taken = 0;
  while (taken + lost < 500'000) {
    ASSERT_NE(receiver.next_seq(), UINT64_MAX);
    ++taken;
  }
  ASSERT_TRUE(wait_for(Trouble::kNone));
  EXPECT_EQ(told.back().second, lost);
}

TEST_F(Feed, StopsAtOnceWhileTheReceiverHangs) {
  Receiver receiver(path);
  auto feed = this->feed();
  feed->add(leaves(0, 2000));
  ASSERT_TRUE(wait_for(Trouble::kStalled));
  const auto began = std::chrono::steady_clock::now();
  feed.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
}

}  // namespace
}  // namespace cardvault::daemon
