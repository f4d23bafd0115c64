// Durable events, live, to a syslog socket: a SIEM as a second failure domain (PCI DSS 10.4.1.1).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "vault/audit/syslog_line.h"
#include "vault/daemon/unix_socket.h"

namespace cardvault::daemon {

// Nothing waits for the receiver but a thread of this object's own: what it doesn't take queues up
// to a bound, and is dropped and counted beyond. What was dropped is missed by its number there,
// and still in the published log. Events that a kill finds in the queue are missed the same way.
class EventFeed {
 public:
  struct Options {
    std::string socket;            // a Unix datagram socket
    std::uint32_t enterprise = 0;  // see SyslogSender
    std::size_t queue_bytes = std::size_t{16} << 20;
    std::chrono::milliseconds patience{5000};  // with a receiver that takes nothing
  };
  enum class Trouble : std::uint8_t {
    kNone,     // all that waited is sent
    kStalled,  // the receiver has taken nothing for longer than the patience
    kLosing,   // events are dropped
  };
  struct Counts {
    std::uint64_t waiting = 0;  // bytes
    std::uint64_t lost = 0;     // events, since the start
  };
  // Told of each change, on the feed's thread; what it does may add() events.
  using Tell = std::function<void(Trouble, const Counts&)>;

  EventFeed(Options options, Tell tell);
  ~EventFeed();
  EventFeed(const EventFeed&) = delete;             // its thread holds its address
  EventFeed& operator=(const EventFeed&) = delete;  // its thread holds its address

  // Until then events queue.
  void start();
  // Sends what waits as far as the receiver takes it at once, and tells of nothing more.
  void finish();
  // One group's leaves (vault/audit/leaves.h). Never waits. Any thread.
  void add(std::string_view leaves);
  [[nodiscard]] Counts counts() const;

 private:
  enum class Sent : std::uint8_t { kYes, kNotNow, kNever };
  void run();
  [[nodiscard]] bool send_group(const std::string& leaves);
  [[nodiscard]] Sent try_to_send(std::string_view line);
  void wait_for_receiver();
  void lose(std::uint64_t events);
  void turn_to(Trouble trouble);
  [[nodiscard]] bool stopping() const;
  void went_well();

  const Options options_;
  const Tell tell_;
  const audit::SyslogSender sender_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::string> queue_;
  Counts counts_;
  bool stopping_ = false;
  // The feed's thread's own.
  Fd socket_;
  Trouble trouble_ = Trouble::kNone;
  std::uint64_t told_lost_ = 0;
  std::optional<std::chrono::steady_clock::time_point> stuck_since_;
  std::thread thread_;
};

}  // namespace cardvault::daemon
