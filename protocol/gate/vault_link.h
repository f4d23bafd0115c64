// The gate's end of its connection with cardvaultd (docs/gate-protocol.md).
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "protocol/gate/asio_types.h"
#include "protocol/gate/metrics.h"
#include "protocol/gate/pending.h"
#include "protocol/wire/codec.h"

namespace cardvault::gate {

// cardvaultd connects, not the gate. Its user is checked (SO_PEERCRED) and both say Hello; the
// newest vault that did replaces an older one. While none is there every call answers
// kVaultUnavailable at once, and what waited when one went is answered the same.
class VaultLink {
 public:
  struct Options {
    std::string gate;             // our name in Hello
    std::uint32_t vault_uid = 0;  // who may connect
  };

  // `listener`: the inherited Unix socket. Everything but call(), tell() and up() runs on `io`'s
  // one thread; those may be called on any.
  VaultLink(asio::io_context& io, int listener, Options options, Metrics& metrics);
  ~VaultLink();
  VaultLink(const VaultLink&) = delete;
  VaultLink& operator=(const VaultLink&) = delete;

  void start();
  // Takes no further vault and lets go of the one there is, and of those that have yet to say
  // Hello.
  void stop();
  // Once a second: who has not said Hello in time is let go, and requests that wait for longer than
  // their time are answered kVaultUnavailable; an answer that comes later is dropped and wiped.
  void tick();

  [[nodiscard]] bool up() const noexcept { return up_.load(std::memory_order_relaxed); }
  // Sends the request and waits for its answer, at most `timeout_s`; the request itself is gone
  // once it is on its way. Failures of the link itself:
  // kVaultUnavailable, kOverloaded (too many requests or bytes wait), kPayloadTooLarge.
  [[nodiscard]] Awaitable<core::Answer> call(const core::Caller& caller, core::Request request,
                                             std::uint32_t timeout_s);
  // Sends what the vault never answers; false when it can't be sent now.
  [[nodiscard]] bool tell(const core::Flood& flood);

 private:
  struct Connection;

  static Awaitable<void> accept_all(VaultLink* self);
  static Awaitable<void> serve(VaultLink* self, std::shared_ptr<Connection> connection);
  [[nodiscard]] bool fit(int fd) const;
  bool take_frames(const std::shared_ptr<Connection>& connection);
  void adopt(const std::shared_ptr<Connection>& connection);
  void drop(const std::shared_ptr<Connection>& connection);

  [[nodiscard]] base::Result<void> submit(const core::Caller& caller, const core::Request& request,
                                          Pending::Done& done, std::uint32_t timeout_s);
  // Whether a frame may be queued: kVaultUnavailable, kOverloaded.
  [[nodiscard]] base::Result<void> check_locked() const;
  // Queues a frame, to be flushed with the eighth or when the thread has nothing else to do. False
  // when it would be too long.
  [[nodiscard]] bool queue_locked(std::uint64_t id, const core::Caller& caller,
                                  const core::Request& request);
  void flush_locked();
  void flush_when_writable(std::shared_ptr<Connection> connection);

  asio::io_context& io_;
  const Options options_;
  Metrics& metrics_;
  Descriptor listener_;
  Timer pause_;
  std::atomic<bool> up_ = false;
  std::atomic<std::uint32_t> now_ = 0;                  // ticks
  std::vector<std::shared_ptr<Connection>> ungreeted_;  // of `io`'s thread

  std::mutex mutex_;  // guards what follows
  std::shared_ptr<Connection> current_;
  Pending pending_;
  base::SecretBuffer out_;
  std::size_t sent_ = 0;  // of out_
  unsigned frames_ = 0;   // in out_ since the last flush
  bool flush_posted_ = false;
  bool wait_posted_ = false;  // for the socket to be writable
};

}  // namespace cardvault::gate
