#include "vault/daemon/outbox.h"

#include <sys/socket.h>

#include <chrono>
#include <utility>

namespace cardvault::daemon {
namespace {
constexpr unsigned kFlushFrames = 8;
constexpr std::size_t kMaxWaiting = std::size_t{64} << 20;
constexpr int kStalledGateMs = 10'000;
}  // namespace

Outbox::Outbox(const Fd& fd) : fd_(fd), thread_([this] { run(); }) {}

Outbox::~Outbox() {
  close();
  thread_.join();
}

void Outbox::close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    waiting_ = {};
  }
  ready_.notify_all();
}

void Outbox::flush() {
  std::unique_lock lock(mutex_);
  idle_.wait_for(lock, std::chrono::seconds(2),
                 [&] { return closed_ || (waiting_.empty() && !writing_); });
}

void Outbox::append(const std::function<void(base::SecretBuffer&)>& encode) {
  bool wake = false;
  {
    const std::scoped_lock lock(mutex_);
    if (closed_) return;
    wake = waiting_.empty();
    encode(waiting_);
    ++frames_;
    if (waiting_.size() > kMaxWaiting) {
      closed_ = true;
      ::shutdown(fd_.get(), SHUT_RDWR);
    } else if (frames_ >= kFlushFrames && !writing_) {
      const auto n =
          ::send(fd_.get(), waiting_.data(), waiting_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n == static_cast<ssize_t>(waiting_.size())) {
        base::wipe(waiting_.data(), waiting_.size());
        waiting_.clear();
        frames_ = 0;
        return;
      }
      if (n > 0) {
        waiting_.erase(waiting_.begin(), waiting_.begin() + n);
        wake = true;
      }
    }
  }
  if (wake) ready_.notify_one();
}

void Outbox::run() {
  base::SecretBuffer sending;
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_.wait(lock, [&] { return closed_ || !waiting_.empty(); });
    if (closed_) return;
    std::swap(sending, waiting_);
    frames_ = 0;
    writing_ = true;
    lock.unlock();
    const bool sent = send_all(fd_, sending, kStalledGateMs).has_value();
    base::wipe(sending.data(), sending.size());
    sending.clear();
    lock.lock();
    writing_ = false;
    if (waiting_.empty()) idle_.notify_all();
    if (!sent) {
      closed_ = true;
      ::shutdown(fd_.get(), SHUT_RDWR);
    }
  }
}

}  // namespace cardvault::daemon
