#include "protocol/client/client.h"

#include <poll.h>

#include <cerrno>

namespace cardvault::client {
namespace {

using base::Code;
using base::Result;

void append(base::SecretBuffer& out, std::string_view text) {
  const auto bytes = base::as_bytes(text);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

void append_request(base::SecretBuffer& out, const Endpoint& endpoint, const Request& request) {
  append(out, request.method);
  append(out, " ");
  append(out, request.path);
  append(out, " HTTP/1.1\r\nHost: ");
  append(out, endpoint.authority());
  if (!request.idempotency_key.empty()) {
    append(out, "\r\nIdempotency-Key: ");
    append(out, request.idempotency_key);
  }
  if (!request.body.empty()) append(out, "\r\nContent-Type: application/json");
  if (!request.body.empty() || request.method == "POST") {
    append(out, "\r\nContent-Length: ");
    append(out, std::to_string(request.body.size()));
  }
  append(out, "\r\n\r\n");
  append(out, request.body);
}

Result<void> Client::wait(const Connection& connection, Wait what) const {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
  if (left.count() <= 0) return base::fail(Code::kRequestTimeout, "wait for the vault");
  pollfd ready{connection.fd(), static_cast<short>(what == Wait::kWritable ? POLLOUT : POLLIN), 0};
  if (::poll(&ready, 1, static_cast<int>(left.count())) < 0 && errno != EINTR) {
    return base::fail(Code::kVaultUnavailable, "poll", errno);
  }
  return {};
}

Result<Connection*> Client::ensure_open() {
  if (connection_ && reusable_) {
    pollfd ready{connection_->fd(), POLLIN, 0};
    // Readable while nothing is asked: the gate has closed it.
    if (::poll(&ready, 1, 0) == 0) return &*connection_;
  }
  auto opened = open();
  for (std::size_t i = 1; !opened && !(connection_ && connection_->connected()); ++i) {
    address_ = (address_ + 1) % endpoint_.addresses.size();
    // One that was silent for the whole time has left none for the others: they are next.
    if (i == endpoint_.addresses.size() || opened.error().code == Code::kRequestTimeout) break;
    opened = open();
  }
  return opened;
}

Result<Connection*> Client::open() {
  connection_.reset();
  auto opened = Connection::open(context_, endpoint_, max_body_, address_);
  if (!opened) return std::unexpected(opened.error());
  Connection& connection = connection_.emplace(std::move(*opened));
  for (;;) {
    const auto state = connection.establish();
    if (!state) return std::unexpected(state.error());
    if (*state == Wait::kNothing) return &connection;
    if (auto waited = wait(connection, *state); !waited) return std::unexpected(waited.error());
  }
}

Result<Response> Client::exchange(Connection& connection,
                                  std::span<const std::uint8_t> request) const {
  auto sent = connection.send(request);
  while (sent && *sent != Wait::kNothing) {
    if (auto waited = wait(connection, *sent); !waited) return std::unexpected(waited.error());
    sent = connection.flush();
  }
  if (!sent) return std::unexpected(sent.error());
  for (;;) {
    const auto response = connection.receive();
    if (!response) return std::unexpected(response.error());
    if (response->has_value()) return response->value();
    if (auto waited = wait(connection, Wait::kReadable); !waited) {
      return std::unexpected(waited.error());
    }
  }
}

Result<Response> Client::send(std::span<const std::uint8_t> request) {
  deadline_ = std::chrono::steady_clock::now() + timeout_;
  const auto connection = ensure_open();
  auto response = connection ? exchange(**connection, request)
                             : Result<Response>(std::unexpected(connection.error()));
  reusable_ = response && response->keep_alive;
  return response;
}

Result<Response> Client::request(const Request& request) {
  append_request(request_, endpoint_, request);
  auto response = send(request_);
  base::wipe(request_.data(), request_.size());
  request_.clear();
  return response;
}

}  // namespace cardvault::client
