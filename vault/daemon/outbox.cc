#include "vault/daemon/outbox.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace cardvault::daemon {
namespace {
constexpr unsigned kFlushFrames = 8;
constexpr std::size_t kMaxWaiting = std::size_t{64} << 20;
constexpr int kStalledGateMs = 10'000;
}  // namespace

Outbox::Outbox(const Fd& fd, Outboxes& all) : fd_(fd), all_(all), thread_([this] { run(); }) {
  const std::scoped_lock lock(all_.mutex_);
  all_.boxes_.push_back(this);
}

Outbox::~Outbox() {
  {
    const std::scoped_lock lock(all_.mutex_);
    std::erase(all_.boxes_, this);
  }
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
  idle_.notify_all();
}

void Outbox::append(const std::function<void(base::SecretBuffer&)>& encode) {
  const std::scoped_lock lock(mutex_);
  if (closed_) return;
  encode(waiting_);
  if (++frames_ >= kFlushFrames) send_locked();
  if (waiting_.size() > kMaxWaiting) {
    closed_ = true;
    ::shutdown(fd_.get(), SHUT_RDWR);
  }
}

void Outbox::flush() {
  const std::scoped_lock lock(mutex_);
  if (!waiting_.empty() && !closed_) send_locked();
}

void Outbox::send_locked() {
  if (stuck_ || writing_) return;  // in order: the thread goes first
  const ssize_t n =
      ::send(fd_.get(), waiting_.data(), waiting_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  const std::size_t sent = n > 0 ? static_cast<std::size_t>(n) : 0;
  base::wipe(waiting_.data(), sent);
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(sent));
  frames_ = 0;
  if (waiting_.empty()) return;
  stuck_ = true;
  ready_.notify_one();
}

void Outbox::drain(std::chrono::steady_clock::time_point until) {
  std::unique_lock lock(mutex_);
  if (!closed_ && !waiting_.empty()) send_locked();
  idle_.wait_until(lock, until, [&] { return closed_ || (waiting_.empty() && !writing_); });
}

void Outbox::run() {
  base::SecretBuffer sending;
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_.wait(lock, [&] { return closed_ || stuck_; });
    if (closed_) return;
    std::swap(sending, waiting_);
    writing_ = true;
    lock.unlock();
    const bool sent = send_all(fd_, sending, kStalledGateMs).has_value();
    base::wipe(sending.data(), sending.size());
    sending.clear();
    lock.lock();
    writing_ = false;
    stuck_ = !waiting_.empty();  // what came meanwhile
    if (!stuck_) idle_.notify_all();
    if (sent) continue;
    closed_ = true;
    ::shutdown(fd_.get(), SHUT_RDWR);
  }
}

void Outboxes::flush() {
  const std::scoped_lock lock(mutex_);
  for (Outbox* box : boxes_) box->flush();
}

}  // namespace cardvault::daemon
