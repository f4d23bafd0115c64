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
  Channel(asio::io_context& io, int fd, SslPtr ssl);
  Channel(const Channel&) = delete;             // its SSL knows it by its address
  Channel& operator=(const Channel&) = delete;  // its SSL knows it by its address

  // A client may change its keys so often, then its connection reads as ended. RFC 8446 (4.6.3)
  // sets no limit; each costs a derivation, so these together cost about what a handshake does.
  // Clients that do it at all do it after gigabytes (RFC 8446, 5.5).
  static constexpr unsigned kMaxKeyUpdates = 64;

  // A handshake may come in so many records, then it reads as ended: each costs a turn of OpenSSL,
  // however little it holds. A client's is some 5 records; in the shortest that one can be made to
  // send, of 64 bytes (RFC 8449, 4), the longest that Tls takes are some 300.
  static constexpr unsigned kMaxHandshakeRecords = 512;

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
  // A client that sends as fast as it is served never lets the thread wait. True once enough
  // completed at once that others should have theirs: yield() before more.
  [[nodiscard]] bool turn_over() const noexcept { return at_once_ >= kTurn; }
  // Resumes behind everything that is ready to run.
  [[nodiscard]] Awaitable<void> yield();
  void cancel();

  [[nodiscard]] const SSL* ssl() const noexcept { return ssl_.get(); }
  [[nodiscard]] int descriptor() { return fd_.native_handle(); }

 private:
  static constexpr unsigned kTurn = 16;  // a record at most each: some hundred microseconds

  static void count_floods(int outgoing, int version, int type, const void* message,
                           std::size_t size, SSL* ssl, void* channel);
  Io outcome(int result);
  Io plain_outcome(ssize_t result, Io want);

  Descriptor fd_;  // closed last: SSL doesn't own it
  SslPtr ssl_;
  // By the client:
  unsigned handshake_records_ = 0;
  unsigned key_updates_ = 0;
  unsigned at_once_ = 0;  // completed since the last wait
};

}  // namespace cardvault::gate
