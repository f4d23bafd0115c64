// One caller of the load: at most one request in flight, on one of its keep-alive connections.
#pragma once

#include <optional>
#include <span>

#include "protocol/client/connection.h"
#include "tests/bench/workload.h"

namespace cardvault::bench {

// What lanes ask for and with which tokens; shared by all lanes of a worker.
struct Script {
  Mode mode = Mode::kTokenize;
  std::size_t batch = 1;
  std::string purpose = {};
  const client::Endpoint* store = nullptr;
  const client::TlsContext* store_tls = nullptr;
  const client::Endpoint* reveal = nullptr;  // null when nothing is revealed
  const client::TlsContext* reveal_tls = nullptr;
  std::span<const TokenText> tokens = {};
  Subjects subjects = {};  // of codes; each lane begins at another one
};

// Not thread-safe.
class Lane {
 public:
  // Connects and waits until the handshakes are done.
  [[nodiscard]] static base::Result<Lane> open(const Script& script, std::size_t number);

  // Sends the next request; kWritable when flush() must follow.
  [[nodiscard]] base::Result<client::Wait> ask(const Script& script, CardStream& cards);
  [[nodiscard]] base::Result<client::Wait> flush() { return active_->flush(); }
  [[nodiscard]] base::Result<std::optional<client::Response>> answer() {
    return active_->receive();
  }

  [[nodiscard]] int fd() const noexcept { return active_->fd(); }  // of the request in flight
  // The descriptors of this lane, -1 where it has none.
  [[nodiscard]] int store_fd() const noexcept { return store_ ? store_->fd() : -1; }
  [[nodiscard]] int reveal_fd() const noexcept { return reveal_ ? reveal_->fd() : -1; }

  std::int64_t due_ns = 0;  // when the request in flight was due (open loop) or sent (closed loop)
  bool busy = false;
  bool writing = false;  // part of the request still waits for the socket

 private:
  std::optional<client::Connection> store_;
  std::optional<client::Connection> reveal_;
  std::optional<RequestTemplate> store_request_;
  std::optional<RequestTemplate> reveal_request_;
  client::Connection* active_ = nullptr;
  std::size_t next_token_ = 0;
  Subjects subjects_;
  std::uint64_t asked_ = 0;
};

// Opens a connection and waits, at most `timeout_ms` for each step, until it is established.
[[nodiscard]] base::Result<client::Connection> open_and_wait(const client::TlsContext& tls,
                                                             const client::Endpoint& endpoint,
                                                             int timeout_ms = 10000);

}  // namespace cardvault::bench
