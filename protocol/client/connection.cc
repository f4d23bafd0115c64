#include "protocol/client/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

namespace cardvault::client {
namespace {

using base::Code;
using base::Result;

std::unexpected<base::Error> unavailable(const char* operation, long number) {
  return base::fail(Code::kVaultUnavailable, operation, number);
}

// RFC 9525: the certificate must name what we meant to reach, an address as an address.
bool expect_host(SSL* ssl, const Endpoint& endpoint) {
  if (endpoint.literal) {
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), endpoint.host.c_str()) == 1;
  }
  return SSL_set1_host(ssl, endpoint.host.c_str()) == 1 &&
         SSL_set_tlsext_host_name(ssl, endpoint.host.c_str()) == 1;
}

// What the peer says of our certificate in an alert (RFC 8446 section 6.2).
std::optional<Code> certificate_refusal(unsigned long error) {
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) return std::nullopt;
  switch (ERR_GET_REASON(error)) {
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return Code::kCertificateExpired;
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
      return Code::kClientRevoked;
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return Code::kClientUnknown;
    default:
      return std::nullopt;
  }
}

}  // namespace

void Connection::Free::operator()(ssl_st* ssl) const noexcept { SSL_free(ssl); }

Connection::Connection(Connection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      ssl_(std::move(other.ssl_)),
      unsent_(std::exchange(other.unsent_, {})),
      reader_(std::move(other.reader_)),
      connected_(other.connected_) {}

Connection& Connection::operator=(Connection&& other) noexcept {
  ssl_ = std::move(other.ssl_);
  std::swap(fd_, other.fd_);  // the old descriptor goes with `other`
  unsent_ = std::exchange(other.unsent_, {});
  reader_ = std::move(other.reader_);
  connected_ = other.connected_;
  return *this;
}

Connection::~Connection() {
  ssl_.reset();
  if (fd_ >= 0) ::close(fd_);
}

Result<Connection> Connection::open(const TlsContext& context, const Endpoint& endpoint,
                                    std::size_t max_body, std::size_t which) {
  const Address& to = endpoint.addresses.at(which);
  const int fd = ::socket(to.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return unavailable("socket", errno);
  Connection made(fd, max_body);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto* address = reinterpret_cast<const sockaddr*>(&to.bytes);
  if (::connect(fd, address, to.size) != 0 && errno != EINPROGRESS) {
    return unavailable("connect", errno);
  }
  made.ssl_.reset(SSL_new(context.native()));
  SSL* ssl = made.ssl_.get();
  if (ssl == nullptr || SSL_set_fd(ssl, fd) != 1 || !expect_host(ssl, endpoint)) {
    return unavailable("SSL_new", static_cast<long>(ERR_peek_error()));
  }
  SSL_set_connect_state(ssl);
  return made;
}

Result<Wait> Connection::wait_or_fail(int answer, const char* operation) {
  const int system_error = errno;
  switch (SSL_get_error(ssl_.get(), answer)) {
    case SSL_ERROR_WANT_READ:
      return Wait::kReadable;
    case SSL_ERROR_WANT_WRITE:
      return Wait::kWritable;
    case SSL_ERROR_ZERO_RETURN:
      return unavailable("closed by the peer", 0);
    default:
      break;
  }
  const long verdict = SSL_get_verify_result(ssl_.get());
  const unsigned long error = ERR_peek_error();
  const auto number = static_cast<long>(error);
  ERR_clear_error();
  if (const auto refused = certificate_refusal(error)) {
    return base::fail(*refused, operation, number);
  }
  if (verdict != X509_V_OK) return base::fail(Code::kNotAllowed, "verify server", verdict);
  return unavailable(operation, number != 0 ? number : system_error);
}

// Who refuses our certificate says so and hangs up. Where our next bytes come too late for it,
// writing them fails while its word is still to be read.
Result<Wait> Connection::wait_or_hear(int answer, const char* operation) {
  auto wait = wait_or_fail(answer, operation);
  if (wait) return wait;
  std::uint8_t ignored = 0;
  std::size_t got = 0;
  if (SSL_read_ex(ssl_.get(), &ignored, sizeof ignored, &got) == 1) return wait;
  const unsigned long error = ERR_peek_error();
  ERR_clear_error();
  const auto refused = certificate_refusal(error);
  return refused ? base::fail(*refused, operation, static_cast<long>(error)) : wait;
}

Result<Wait> Connection::establish() {
  if (!connected_) {
    pollfd ready{fd_, POLLOUT, 0};
    if (::poll(&ready, 1, 0) == 0) return Wait::kWritable;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return unavailable("connect", error);
    connected_ = true;
  }
  ERR_clear_error();
  const int answer = SSL_do_handshake(ssl_.get());
  if (answer == 1) return Wait::kNothing;
  return wait_or_fail(answer, "TLS handshake");
}

Result<Wait> Connection::send(std::span<const std::uint8_t> request) {
  unsent_ = request;
  return flush();
}

Result<Wait> Connection::flush() {
  while (!unsent_.empty()) {
    ERR_clear_error();
    std::size_t written = 0;
    const int answer = SSL_write_ex(ssl_.get(), unsent_.data(), unsent_.size(), &written);
    if (answer != 1) return wait_or_hear(answer, "TLS write");
    unsent_ = unsent_.subspan(written);
  }
  return Wait::kNothing;
}

Result<std::optional<Response>> Connection::receive() {
  for (;;) {
    auto response = reader_.next();
    if (!response || response->has_value()) return response;
    const auto room = reader_.space();
    ERR_clear_error();
    std::size_t got = 0;
    const int answer = SSL_read_ex(ssl_.get(), room.data(), room.size(), &got);
    if (answer != 1) {
      if (auto wait = wait_or_fail(answer, "TLS read"); !wait) return std::unexpected(wait.error());
      return std::nullopt;
    }
    reader_.filled(got);
  }
}

Result<Wait> Connection::close() {
  ERR_clear_error();
  if ((SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) == 0) {
    if (const int said = SSL_shutdown(ssl_.get()); said < 0) return wait_or_hear(said, "TLS close");
  }
  std::uint8_t ignored = 0;
  std::size_t got = 0;
  const int answer = SSL_read_ex(ssl_.get(), &ignored, sizeof ignored, &got);
  if (answer == 1) return base::fail(Code::kBadHttp, "answer without a request");
  const int reason = SSL_get_error(ssl_.get(), answer);
  if (reason == SSL_ERROR_ZERO_RETURN) return Wait::kNothing;
  if (reason == SSL_ERROR_SSL &&
      ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    ERR_clear_error();  // TCP's end without close_notify: as good, nothing was outstanding
    return Wait::kNothing;
  }
  return wait_or_fail(answer, "TLS close");
}

}  // namespace cardvault::client
