#include "protocol/gate/vault_link.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cerrno>

#include "protocol/gate/spawn.h"
#include "vault/base/log.h"

namespace cardvault::gate {
namespace {

using base::Code;
using base::Level;
using boost::system::error_code;

constexpr unsigned kFlushFrames = 8;                        // measured: PERFORMANCE.md
constexpr std::size_t kMaxBacklog = std::size_t{32} << 20;  // bytes that the vault doesn't take
constexpr std::uint32_t kHelloTimeout_s = 5;
constexpr std::uint64_t kNobody = 0;  // waits: Pending gives out no such id

core::Answer failure(Code code) { return core::Failure{code, 0}; }

void fail_all(std::vector<Pending::Done> waiting) {
  for (Pending::Done& done : waiting) done(failure(Code::kVaultUnavailable));
}

// Answers carry PANs and codes in their frames, and decoding leaves pieces on the stack.
bool may_carry_secret(const core::Answer& answer) {
  return std::holds_alternative<core::DetokenizeAnswer>(answer) ||
         std::holds_alternative<core::OtpSealedAnswer>(answer);
}

}  // namespace

struct VaultLink::Connection {
  Connection(asio::io_context& io, int descriptor) : fd(io, descriptor) {}
  // Its reader sees the end, and leaves.
  void end() { ::shutdown(fd.native_handle(), SHUT_RDWR); }

  Descriptor fd;
  wire::FrameReader reader;
  bool greeted = false;  // its Hello was good
  std::uint32_t hello_deadline = 0;
};

VaultLink::VaultLink(asio::io_context& io, int listener, Options options, Metrics& metrics)
    : io_(io),
      options_(std::move(options)),
      metrics_(metrics),
      listener_(io, listener),
      pause_(io) {}

VaultLink::~VaultLink() = default;

void VaultLink::stop() {
  error_code ignored;
  static_cast<void>(listener_.close(ignored));
  pause_.cancel();
  for (const auto& connection : ungreeted_) connection->end();
  const std::scoped_lock lock(mutex_);
  if (current_) current_->end();
}

void VaultLink::start() { spawn_vital(io_, accept_all(this)); }

bool VaultLink::fit(int fd) const {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  if (peer.uid == options_.vault_uid) return true;
  base::log(Level::kError, "a process that is not cardvaultd tried to connect as the vault",
            {{"uid", std::to_string(peer.uid)}, {"expected", std::to_string(options_.vault_uid)}});
  return false;
}

Awaitable<void> VaultLink::accept_all(VaultLink* self) {
  for (;;) {
    error_code failed;
    co_await self->listener_.async_wait(Descriptor::wait_read,
                                        asio::redirect_error(kAwait, failed));
    if (failed) co_return;
    const int fd =
        ::accept4(self->listener_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) continue;
      self->pause_.expires_after(std::chrono::milliseconds(100));  // out of descriptors
      co_await self->pause_.async_wait(asio::redirect_error(kAwait, failed));
      continue;
    }
    if (!self->fit(fd)) {
      ::close(fd);
      continue;
    }
    auto connection = std::make_shared<Connection>(self->io_, fd);
    connection->hello_deadline = self->now_ + kHelloTimeout_s + 1;
    self->ungreeted_.push_back(connection);
    spawn_vital(self->io_, serve(self, std::move(connection)));
  }
}

Awaitable<void> VaultLink::serve(VaultLink* self, std::shared_ptr<Connection> connection) {
  base::SecretBuffer hello;
  wire::encode(hello, 0, wire::Hello{wire::kProtocolVersion, self->options_.gate});
  const int fd = connection->fd.native_handle();
  bool good =
      ::send(fd, hello.data(), hello.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(hello.size());
  while (good) {
    error_code failed;
    co_await connection->fd.async_wait(Descriptor::wait_read, asio::redirect_error(kAwait, failed));
    if (failed) break;
    const auto space = connection->reader.space();
    const ssize_t n = ::recv(fd, space.data(), space.size(), 0);
    if (n > 0) {
      connection->reader.filled(static_cast<std::size_t>(n));
      good = self->take_frames(connection);
    } else {
      good = n < 0 && (errno == EAGAIN || errno == EINTR);
    }
  }
  std::erase(self->ungreeted_, connection);
  self->drop(connection);
}

bool VaultLink::take_frames(const std::shared_ptr<Connection>& connection) {
  bool secret = false;
  for (;;) {
    const auto frame = connection->reader.next();
    if (!frame) {
      base::log(Level::kError, "the vault sent a bad frame", frame.error());
      return false;
    }
    if (!frame->has_value()) break;
    if (!connection->greeted) {
      const auto hello = wire::decode_hello((*frame)->payload);
      if ((*frame)->type != wire::FrameType::kHello || !hello ||
          hello->version != wire::kProtocolVersion) {
        base::log(Level::kError,
                  "the vault speaks another version of the gate protocol; install gate and daemon "
                  "of the same release",
                  {{"version", std::to_string(hello ? hello->version : 0)}});
        return false;
      }
      adopt(connection);
      continue;
    }
    if ((*frame)->type != wire::FrameType::kAnswer) return false;
    Pending::Done done;
    {
      const std::scoped_lock lock(mutex_);
      if (connection == current_) done = pending_.take((*frame)->id);
    }
    auto answer = wire::decode_answer((*frame)->payload);
    if (!answer) {
      base::log(Level::kError, "the vault sent a bad answer", answer.error());
      if (done) done(failure(Code::kInternal));
      return false;
    }
    secret = secret || may_carry_secret(*answer);
    if (done) done(std::move(*answer));
  }
  static_cast<void>(connection->reader.space(0));  // wipes what was passed on
  if (secret) base::wipe_stack();
  return true;
}

void VaultLink::adopt(const std::shared_ptr<Connection>& connection) {
  std::vector<Pending::Done> waiting;
  {
    const std::scoped_lock lock(mutex_);
    if (current_) current_->end();
    current_ = connection;
    waiting = pending_.all();
    base::wipe(out_.data(), out_.size());
    out_.clear();
    sent_ = 0;
    frames_ = 0;
    wait_posted_ = false;
  }
  connection->greeted = true;
  std::erase(ungreeted_, connection);
  up_ = true;
  metrics_.link_up();
  base::log(Level::kNotice, "vault connected", {{"gate", options_.gate}});
  fail_all(std::move(waiting));
}

void VaultLink::drop(const std::shared_ptr<Connection>& connection) {
  std::vector<Pending::Done> waiting;
  {
    const std::scoped_lock lock(mutex_);
    if (current_ != connection) return;
    current_.reset();
    waiting = pending_.all();
    base::wipe(out_.data(), out_.size());
    out_.clear();
    sent_ = 0;
    frames_ = 0;
    up_ = false;
  }
  base::log(Level::kWarning, "vault disconnected: answering 503 until it is back",
            {{"gate", options_.gate}, {"waiting", std::to_string(waiting.size())}});
  fail_all(std::move(waiting));
}

void VaultLink::tick() {
  const std::uint32_t now = ++now_;
  for (const auto& connection : ungreeted_) {
    if (connection->hello_deadline <= now) connection->end();
  }
  std::vector<Pending::Done> late;
  {
    const std::scoped_lock lock(mutex_);
    late = pending_.expired(now);
  }
  if (!late.empty()) {
    base::log(Level::kWarning, "the vault did not answer in time",
              {{"requests", std::to_string(late.size())}});
  }
  fail_all(std::move(late));
}

base::Result<void> VaultLink::submit(const core::Caller& caller, const core::Request& request,
                                     Pending::Done& done, std::uint32_t timeout_s) {
  const std::scoped_lock lock(mutex_);
  if (auto checked = check_locked(); !checked) return checked;
  const auto id = pending_.add(done, now_ + timeout_s + 1);
  if (!id) return base::fail(Code::kOverloaded, "link pending");
  if (queue_locked(*id, caller, request)) return {};
  done = pending_.take(*id);
  return base::fail(Code::kPayloadTooLarge, "link frame");
}

base::Result<void> VaultLink::check_locked() const {
  if (!current_) return base::fail(Code::kVaultUnavailable, "link down");
  if (out_.size() - sent_ > kMaxBacklog) return base::fail(Code::kOverloaded, "link backlog");
  return {};
}

bool VaultLink::queue_locked(std::uint64_t id, const core::Caller& caller,
                             const core::Request& request) {
  if (!wire::encode(out_, id, caller, request)) return false;
  if (++frames_ >= kFlushFrames) {
    flush_locked();
  } else if (!flush_posted_) {
    flush_posted_ = true;
    asio::post(io_, [this] {
      const std::scoped_lock later(mutex_);
      flush_posted_ = false;
      flush_locked();
    });
  }
  return true;
}

void VaultLink::flush_locked() {
  frames_ = 0;
  if (!current_ || wait_posted_) return;
  while (sent_ < out_.size()) {
    const ssize_t n = ::send(current_->fd.native_handle(), out_.data() + sent_, out_.size() - sent_,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      if (errno == EAGAIN) flush_when_writable(current_);
      break;  // any other error ends the reader, which drops the connection
    }
    sent_ += static_cast<std::size_t>(n);
  }
  base::wipe(out_.data(), sent_);
  if (sent_ == out_.size()) {
    out_.clear();
    sent_ = 0;
  } else if (sent_ > kMaxBacklog / 8) {
    out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(sent_));
    sent_ = 0;
  }
}

void VaultLink::flush_when_writable(std::shared_ptr<Connection> connection) {
  wait_posted_ = true;
  asio::post(io_, [this, connection = std::move(connection)] {
    Descriptor& fd = connection->fd;
    fd.async_wait(Descriptor::wait_write, [this, connection](error_code) {
      const std::scoped_lock lock(mutex_);
      if (connection != current_) return;
      wait_posted_ = false;
      flush_locked();
    });
  });
}

Awaitable<core::Answer> VaultLink::call(const core::Caller& caller, core::Request request,
                                        std::uint32_t timeout_s) {
  auto start = [this, &caller, request = std::move(request), timeout_s](auto handler) mutable {
    const auto executor = asio::get_associated_executor(handler);
    Pending::Done done = [executor, handler = std::move(handler)](core::Answer answer) mutable {
      asio::dispatch(executor,
                     [handler = std::move(handler), answer = std::move(answer)]() mutable {
                       handler(std::move(answer));
                     });
    };
    if (const auto sent = submit(caller, request, done, timeout_s); !sent) {
      // Not from inside the initiation: the caller's coroutine is not suspended yet.
      asio::post(io_, [done = std::move(done), code = sent.error().code]() mutable {
        done(failure(code));
      });
    }
    request = core::ReadyCheck{};  // this lambda lives until the answer is there
  };
  return asio::async_initiate<decltype(kAwait), void(core::Answer)>(std::move(start), kAwait);
}

bool VaultLink::tell(const core::Flood& flood) {
  const std::scoped_lock lock(mutex_);
  return check_locked() && queue_locked(kNobody, core::Caller{}, flood);
}

}  // namespace cardvault::gate
