// One keep-alive mTLS connection to a gate, nonblocking: the caller waits (epoll, poll) and goes
// on.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "protocol/client/endpoint.h"
#include "protocol/client/response_reader.h"
#include "protocol/client/tls_context.h"
#include "vault/base/result.h"

struct ssl_st;

namespace cardvault::client {

// What a step waits for. kNothing: it is complete.
enum class Wait : std::uint8_t { kNothing, kReadable, kWritable };

inline constexpr std::size_t kMaxResponseBody = std::size_t{4} << 20;

// The server is verified against the context's CA and the endpoint's host. Not thread-safe. After
// any error only destruction is left. Errors: kVaultUnavailable (socket, TLS, or closed by the
// peer: the number is errno or OpenSSL's), kNotAllowed (the server's certificate doesn't verify:
// number is X509_V_ERR_*), kCertificateExpired, kClientRevoked and kClientUnknown (the peer's word
// on our own certificate: it has expired, is revoked, or is not taken), kBadHttp and
// kPayloadTooLarge (the answer). Programs ignore SIGPIPE.
class Connection {
 public:
  // Starts connecting to one of the endpoint's addresses; go on with establish().
  [[nodiscard]] static base::Result<Connection> open(const TlsContext& context,
                                                     const Endpoint& endpoint,
                                                     std::size_t max_body = kMaxResponseBody,
                                                     std::size_t which = 0);
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&& other) noexcept;
  ~Connection();

  [[nodiscard]] int fd() const noexcept { return fd_; }
  // Somebody listens there.
  [[nodiscard]] bool connected() const noexcept { return connected_; }
  // TCP and TLS handshake. TLS 1.3 tells a client nothing of how its own certificate was received:
  // a refusal shows as an error of the first send(), flush() or receive().
  [[nodiscard]] base::Result<Wait> establish();
  // Sends a whole request. The bytes stay where they are until this or flush() said kNothing.
  [[nodiscard]] base::Result<Wait> send(std::span<const std::uint8_t> request);
  [[nodiscard]] base::Result<Wait> flush();
  // The next answer, or nothing: wait until readable. Its views end with the next receive().
  [[nodiscard]] base::Result<std::optional<Response>> receive();
  // Says goodbye (close_notify) and waits for the peer's end: proof that it took our certificate.
  [[nodiscard]] base::Result<Wait> close();

 private:
  struct Free {
    void operator()(ssl_st* ssl) const noexcept;
  };
  Connection(int fd, std::size_t max_body) : fd_(fd), reader_(max_body) {}
  [[nodiscard]] base::Result<Wait> wait_or_fail(int answer, const char* operation);
  // As wait_or_fail(), of a write.
  [[nodiscard]] base::Result<Wait> wait_or_hear(int answer, const char* operation);

  int fd_ = -1;
  std::unique_ptr<ssl_st, Free> ssl_;
  std::span<const std::uint8_t> unsent_;
  ResponseReader reader_;
  bool connected_ = false;
};

}  // namespace cardvault::client
