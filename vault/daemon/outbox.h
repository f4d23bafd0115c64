// Frames on their way to one gate.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "vault/base/secret.h"
#include "vault/daemon/unix_socket.h"

namespace cardvault::daemon {

// Any thread appends; a thread of its own writes, so that a gate that doesn't read blocks nobody.
// Eight frames are written at once by whoever appended the eighth: waiting for more would make the
// two processes take turns (measured, docs/gate-protocol.md). A gate that is 64 MiB behind is cut.
class Outbox {
 public:
  // `fd` must outlive the outbox.
  explicit Outbox(const Fd& fd);
  ~Outbox();
  Outbox(const Outbox&) = delete;             // its thread holds its address
  Outbox& operator=(const Outbox&) = delete;  // its thread holds its address

  // Calls encode(buffer) to append one frame; dropped (and wiped) when the connection is gone.
  void append(const std::function<void(base::SecretBuffer&)>& encode);
  // Waits until all is written, at most two seconds: for a graceful stop.
  void flush();
  void close();

 private:
  void run();
  const Fd& fd_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::condition_variable idle_;
  base::SecretBuffer waiting_;
  unsigned frames_ = 0;
  bool writing_ = false;
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace cardvault::daemon
