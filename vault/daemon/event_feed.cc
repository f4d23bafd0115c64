#include "vault/daemon/event_feed.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

#include "vault/audit/event_codec.h"
#include "vault/audit/leaves.h"
#include "vault/base/log.h"

namespace cardvault::daemon {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kRetry = std::chrono::milliseconds(100);

audit::SyslogSender sender(std::uint32_t enterprise) {
  std::array<char, HOST_NAME_MAX + 1> host{};
  ::gethostname(host.data(), host.size() - 1);
  return {host.data(), static_cast<std::uint32_t>(::getpid()), enterprise};
}

std::uint64_t count(std::string_view leaves) {
  std::uint64_t lines = 0;
  audit::LeafReader reader(leaves);
  for (auto line = reader.next(); line && *line; line = reader.next()) ++lines;
  return lines;
}

Fd connect_to(const std::string& path) {
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    socket.reset();
  }
  return socket;
}

}  // namespace

EventFeed::EventFeed(Options options, Tell tell)
    : options_(std::move(options)), tell_(std::move(tell)), sender_(sender(options_.enterprise)) {}

EventFeed::~EventFeed() { finish(); }

void EventFeed::start() {
  thread_ = std::thread([this] { run(); });
}

void EventFeed::finish() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void EventFeed::add(std::string_view leaves) {
  {
    const std::scoped_lock lock(mutex_);
    if (counts_.waiting + leaves.size() > options_.queue_bytes) {
      counts_.lost += count(leaves);
      return;
    }
    counts_.waiting += leaves.size();
    queue_.emplace_back(leaves);
  }
  wake_.notify_one();
}

bool EventFeed::stopping() const {
  const std::scoped_lock lock(mutex_);
  return stopping_;
}

EventFeed::Counts EventFeed::counts() const {
  const std::scoped_lock lock(mutex_);
  return counts_;
}

void EventFeed::run() {
  for (;;) {
    std::string leaves;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      leaves = std::move(queue_.front());
      queue_.pop_front();
    }
    if (!send_group(leaves)) return;
    {
      const std::scoped_lock lock(mutex_);
      counts_.waiting -= leaves.size();
    }
    went_well();
  }
}

// False: the vault stops, and the receiver takes nothing.
bool EventFeed::send_group(const std::string& leaves) {
  audit::LeafReader reader(leaves);
  for (auto leaf = reader.next(); leaf && *leaf; leaf = reader.next()) {
    std::uint64_t seq = 0;
    const auto event = audit::parse_event(**leaf, &seq);
    if (!event) {
      lose(1);
      continue;
    }
    const std::string line = audit::syslog_line(seq, *event, sender_);
    for (Sent sent = try_to_send(line); sent != Sent::kYes; sent = try_to_send(line)) {
      if (sent == Sent::kNever) {
        lose(1);
        break;
      }
      if (stopping()) return false;
      wait_for_receiver();
    }
  }
  return true;
}

EventFeed::Sent EventFeed::try_to_send(std::string_view line) {
  if (!socket_) socket_ = connect_to(options_.socket);
  if (!socket_) return Sent::kNotNow;
  if (::send(socket_.get(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
    stuck_since_.reset();
    return Sent::kYes;
  }
  if (errno == EMSGSIZE) return Sent::kNever;
  if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) socket_.reset();
  return Sent::kNotNow;
}

void EventFeed::wait_for_receiver() {
  if (!stuck_since_) stuck_since_ = Clock::now();
  if (socket_) {
    pollfd ready{socket_.get(), POLLOUT, 0};
    ::poll(&ready, 1, static_cast<int>(kRetry.count()));
  } else {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kRetry, [&] { return stopping_; });
  }
  const std::uint64_t lost = counts().lost;
  if (lost != told_lost_) {
    turn_to(Trouble::kLosing);
  } else if (trouble_ == Trouble::kNone && Clock::now() - *stuck_since_ > options_.patience) {
    turn_to(Trouble::kStalled);
  }
}

void EventFeed::lose(std::uint64_t events) {
  const std::scoped_lock lock(mutex_);
  counts_.lost += events;
}

void EventFeed::went_well() {
  const Counts now = counts();
  if (now.lost != told_lost_) turn_to(Trouble::kLosing);
  if (trouble_ != Trouble::kNone && now.waiting == 0) {
    turn_to(Trouble::kNone);
    told_lost_ = now.lost;
  }
}

void EventFeed::turn_to(Trouble trouble) {
  if (std::exchange(trouble_, trouble) == trouble || stopping()) return;
  const Counts now = counts();
  if (trouble != Trouble::kNone) {
    base::log(base::Level::kError, "the syslog socket does not take the events",
              {{"socket", options_.socket},
               {"waiting_bytes", std::to_string(now.waiting)},
               {"lost", std::to_string(now.lost)}});
  }
  tell_(trouble, now);
}

}  // namespace cardvault::daemon
