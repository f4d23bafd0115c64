// Frames on their way to one gate.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "vault/base/secret.h"
#include "vault/daemon/unix_socket.h"

namespace cardvault::daemon {

class Outboxes;

// Any thread appends, and whoever appended flushes when it has no more to say: the committer after
// a group, a worker or a reading thread after what it drained. Eight frames are written at once:
// waiting for more would make the two processes take turns (measured, docs/gate-protocol.md). What
// the socket doesn't take is left to a thread of its own, so that a gate that doesn't read blocks
// nobody; one that is 64 MiB behind is cut.
class Outbox {
 public:
  // `fd` and `all` must outlive the outbox.
  Outbox(const Fd& fd, Outboxes& all);
  ~Outbox();
  Outbox(const Outbox&) = delete;             // its thread holds its address
  Outbox& operator=(const Outbox&) = delete;  // its thread holds its address

  // Calls encode(buffer) to append one frame; dropped (and wiped) when the connection is gone.
  void append(const std::function<void(base::SecretBuffer&)>& encode);
  // Writes what the socket takes now; the rest goes on by itself.
  void flush();
  // Waits until all is written, but no longer than `until`: for a graceful stop.
  void drain(std::chrono::steady_clock::time_point until);
  void close();

 private:
  void run();
  void send_locked();
  const Fd& fd_;
  Outboxes& all_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::condition_variable idle_;
  base::SecretBuffer waiting_;
  unsigned frames_ = 0;
  bool stuck_ = false;    // the socket is full: the thread's turn
  bool writing_ = false;  // the thread is at it
  bool closed_ = false;
  std::thread thread_;
};

// All outboxes of a vault. Thread-safe.
class Outboxes {
 public:
  void flush();

 private:
  friend class Outbox;
  std::mutex mutex_;
  std::vector<Outbox*> boxes_;
};

}  // namespace cardvault::daemon
