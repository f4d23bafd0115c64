// One client connection's bytes: TLS over a non-blocking descriptor, or plain on the health socket.
//
// Why not asio::ssl::stream: it keeps 34 KB of buffers per idle connection; SSL on the descriptor
// itself, with SSL_MODE_RELEASE_BUFFERS, keeps none (PERFORMANCE.md: 80 KB against 19 KB).
#pragma once

#include <cstdint>
#include <span>

#include "protocol/gate/asio_types.h"
#include "protocol/gate/tls.h"

namespace cardvault::gate {

// What an attempt came to. kWantRead, kWantWrite: wait until the descriptor is ready and try again.
enum class Io : std::uint8_t { kDone, kWantRead, kWantWrite, kClosed };

// One thread.
class Channel {
 public:
  // Owns the descriptor. `ssl` may be null: plain bytes.
  Channel(asio::io_context& io, int fd, SslPtr ssl) : fd_(io, fd), ssl_(std::move(ssl)) {}

  [[nodiscard]] Io handshake();
  [[nodiscard]] Io read(std::span<std::uint8_t> into, std::size_t& got);
  [[nodiscard]] Io write(std::span<const std::uint8_t> bytes, std::size_t& written);
  // True when bytes have been read from the descriptor that read() has not given out yet: waiting
  // for the descriptor would then wait for the wrong thing.
  [[nodiscard]] bool buffered() const noexcept {
    return ssl_ != nullptr && SSL_has_pending(ssl_.get()) == 1;
  }
  // Says goodbye (close_notify, FIN); what comes in may still be drained.
  void finish_writing();
  // Takes and drops bytes below TLS.
  [[nodiscard]] Io drain();

  // Resumes when ready, or when cancel() is called.
  [[nodiscard]] Awaitable<void> wait(Io want);
  void cancel();

  [[nodiscard]] const SSL* ssl() const noexcept { return ssl_.get(); }
  [[nodiscard]] int descriptor() { return fd_.native_handle(); }

 private:
  Io outcome(int result);

  Descriptor fd_;  // closed last: SSL doesn't own it
  SslPtr ssl_;
};

}  // namespace cardvault::gate
