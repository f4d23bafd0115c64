#include "protocol/gate/channel.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cerrno>

namespace cardvault::gate {
Channel::Channel(asio::io_context& io, int fd, SslPtr ssl) : fd_(io, fd), ssl_(std::move(ssl)) {
  if (ssl_ == nullptr) return;
  SSL_set_msg_callback(ssl_.get(), count_floods);
  SSL_set_msg_callback_arg(ssl_.get(), this);
}

// One SSL_do_handshake or SSL_read_ex handles record after record while none ends what it is at:
// of a message in pieces, or of what carries no data. What else carries none OpenSSL bounds itself
// (32 empty records, 5 warnings), so these are its only loops that a client can prolong.
void Channel::count_floods(int outgoing, int, int type, const void* message, std::size_t size,
                           SSL* ssl, void* channel) {
  if (outgoing != 0 || size == 0) return;
  auto& self = *static_cast<Channel*>(channel);
  bool over = false;
  if (type == SSL3_RT_HEADER) {
    over = SSL_in_init(ssl) == 1 && ++self.handshake_records_ > kMaxHandshakeRecords;
  } else if (type == SSL3_RT_HANDSHAKE) {
    over = *static_cast<const std::uint8_t*>(message) == SSL3_MT_KEY_UPDATE &&
           ++self.key_updates_ > kMaxKeyUpdates;
  }
  if (over) SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);  // as if the client had said goodbye
}

Io Channel::plain_outcome(ssize_t result, Io want) {
  if (result > 0) {
    ++at_once_;
    return Io::kDone;
  }
  return result < 0 && (errno == EAGAIN || errno == EINTR) ? want : Io::kClosed;
}

Io Channel::outcome(int result) {
  if (result == 1) {
    ++at_once_;
    return Io::kDone;
  }
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Io::kWantRead;
    case SSL_ERROR_WANT_WRITE:
      return Io::kWantWrite;
    default:
      return Io::kClosed;
  }
}

Io Channel::handshake() {
  ERR_clear_error();
  return outcome(SSL_do_handshake(ssl_.get()));
}

Io Channel::read(std::span<std::uint8_t> into, std::size_t& got) {
  if (ssl_ == nullptr) {
    const ssize_t n = ::recv(descriptor(), into.data(), into.size(), 0);
    got = n > 0 ? static_cast<std::size_t>(n) : 0;
    return plain_outcome(n, Io::kWantRead);
  }
  ERR_clear_error();
  return outcome(SSL_read_ex(ssl_.get(), into.data(), into.size(), &got));
}

Io Channel::write(std::span<const std::uint8_t> bytes, std::size_t& written) {
  if (ssl_ == nullptr) {
    const ssize_t n = ::send(descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    written = n > 0 ? static_cast<std::size_t>(n) : 0;
    return plain_outcome(n, Io::kWantWrite);
  }
  ERR_clear_error();
  return outcome(SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written));
}

void Channel::finish_writing() {
  if (ssl_ != nullptr && SSL_is_init_finished(ssl_.get()) == 1) {
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  ::shutdown(descriptor(), SHUT_WR);
}

Io Channel::drain() {
  std::array<std::uint8_t, 4096> dropped;
  const ssize_t n = ::recv(descriptor(), dropped.data(), dropped.size(), 0);
  return plain_outcome(n, Io::kWantRead);
}

Awaitable<void> Channel::wait(Io want) {
  boost::system::error_code ignored;  // cancelled: the caller sees that by itself
  const auto kind = want == Io::kWantWrite ? Descriptor::wait_write : Descriptor::wait_read;
  co_await fd_.async_wait(kind, asio::redirect_error(kAwait, ignored));
  at_once_ = 0;
}

Awaitable<void> Channel::yield() {
  co_await asio::post(fd_.get_executor(), kAwait);
  at_once_ = 0;
}

void Channel::cancel() {
  boost::system::error_code ignored;
  static_cast<void>(fd_.cancel(ignored));
}

}  // namespace cardvault::gate
