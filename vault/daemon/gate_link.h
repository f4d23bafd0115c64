// The vault's side of the connection to one gate.
#pragma once

#include <atomic>
#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "vault/daemon/config.h"
#include "vault/daemon/engine.h"
#include "vault/daemon/outbox.h"
#include "vault/daemon/unix_socket.h"

namespace cardvault::daemon {

// Connects to the gate's socket, checks the gate's user, answers its requests under its ceiling,
// and connects again when the connection ends. One reading thread per gate.
class GateLink {
 public:
  // ready() says whether the vault may be sent traffic; called on the reading thread.
  using Ready = std::function<core::ReadyAnswer()>;
  // Takes a request of the gate's client: Engine::submit(), or a refusal while there is no engine.
  using Submit = std::function<void(const core::Ceiling&, wire::GateRequest, Engine::Reply)>;
  GateLink(const GateConfig& config, Submit submit, FloodCounter& floods, Outboxes& outboxes,
           Ready ready);
  ~GateLink();
  GateLink(const GateLink&) = delete;             // its thread holds its address
  GateLink& operator=(const GateLink&) = delete;  // its thread holds its address

  // Ends reading: no more requests come in. Answers still go out until finish().
  void stop_reading();
  // That, and ends the connection when all answers have gone out, at `until` at the latest,
  // whatever the gate does. The destructor gives it two seconds.
  void finish(std::chrono::steady_clock::time_point until);
  [[nodiscard]] bool connected() const noexcept { return connected_; }
  // A reload: takes the ceiling if it is this gate's; it holds from the next request on.
  void set_ceiling_of(const core::Ceiling& ceiling);

 private:
  struct Connection {
    Fd fd;
    std::unique_ptr<Outbox> outbox;  // after fd: ends first
  };
  void run();
  void serve();
  void read_requests(const std::shared_ptr<Connection>& connection, wire::FrameReader& frames);
  [[nodiscard]] bool take(const std::shared_ptr<Connection>& connection, const wire::Frame& frame);
  void note(std::string_view reason);
  void answer_ready(const std::shared_ptr<Connection>& connection, std::uint64_t id);

  const GateConfig config_;
  base::Snapshot<core::Ceiling> ceiling_;
  const Submit submit_;
  FloodCounter& floods_;
  Outboxes& outboxes_;
  const Ready ready_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> connected_ = false;
  std::mutex mutex_;     // guards reading_fd_
  int reading_fd_ = -1;  // from before the Hello on: stop_reading() ends all waiting
  std::shared_ptr<Connection> connection_;  // the reading thread's; kept for late answers
  std::thread thread_;
};

// Finishes all of them: two seconds together.
void finish(std::list<GateLink>& links);

}  // namespace cardvault::daemon
