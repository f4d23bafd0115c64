// A blocking client on one keep-alive connection, reopened when the gate has closed it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/client/connection.h"

namespace cardvault::client {

struct Request {
  std::string_view method = "GET";
  std::string_view path = "/";
  std::string_view body = {};             // JSON, or empty
  std::string_view idempotency_key = {};  // or empty
};

// Appends a request's bytes to `out`: Host, Content-Type and Content-Length included.
void append_request(base::SecretBuffer& out, const Endpoint& endpoint, const Request& request);

// Not thread-safe. Both references outlive it. Goes on to the endpoint's next address where it gets
// no connection to one.
class Client {
 public:
  Client(const TlsContext& context, const Endpoint& endpoint, std::chrono::milliseconds timeout,
         std::size_t max_body = kMaxResponseBody)
      : context_(context), endpoint_(endpoint), timeout_(timeout), max_body_(max_body) {}

  // Sends one request and waits for its answer, whatever its status; the views end with the next
  // call. Never sends twice: an error after sending leaves it open whether the vault has acted.
  // Errors: those of Connection, and kRequestTimeout.
  [[nodiscard]] base::Result<Response> request(const Request& request);
  // The same with a request's ready bytes.
  [[nodiscard]] base::Result<Response> send(std::span<const std::uint8_t> request);

 private:
  [[nodiscard]] base::Result<Connection*> ensure_open();
  [[nodiscard]] base::Result<Connection*> open();
  [[nodiscard]] base::Result<void> wait(const Connection& connection, Wait what) const;
  [[nodiscard]] base::Result<Response> exchange(Connection& connection,
                                                std::span<const std::uint8_t> request) const;

  const TlsContext& context_;
  const Endpoint& endpoint_;
  const std::chrono::milliseconds timeout_;
  const std::size_t max_body_;
  std::chrono::steady_clock::time_point deadline_;
  std::optional<Connection> connection_;
  std::size_t address_ = 0;  // of the endpoint's
  bool reusable_ = false;
  base::SecretBuffer request_;
};

}  // namespace cardvault::client
