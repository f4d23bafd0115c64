#include "protocol/gate/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <new>

#include "protocol/gate/spawn.h"
#include "vault/base/log.h"
#include "vault/sandbox/notify_socket.h"

namespace cardvault::gate {
namespace {

using base::Level;
using boost::system::error_code;

constexpr std::uint32_t kStopTimeout_s = 10;
constexpr std::uint32_t kStopGrace_s = 5;  // for what is cut off then
constexpr std::uint32_t kStrangersEvery_s = 10;
constexpr unsigned kAcceptsAtOnce = 64;
// Of each connection, and the kernel adds as much again for itself (socket(7)). Left alone it would
// keep 4 MB for each client that doesn't read and 6 MB for each that isn't read (tcp(7)), which
// nobody counts: for all of them together this has to fit into the unit's MemoryMax=. (A segment
// that was begun below the limit is filled, so that up to 96 KiB may wait for the client.)
constexpr int kSendBufferBytes = 16 << 10;
constexpr int kReceiveBufferBytes = 32 << 10;
constexpr std::chrono::milliseconds kTick{1000};
constexpr unsigned kLooksPerTick = 20;

// "192.0.2.7", "2001:db8::1"; IPv4 in IPv6 as IPv4.
std::string address_text(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  } else {
    return "local";
  }
  const std::string result = text.data();
  return result.starts_with("::ffff:") ? result.substr(7) : result;
}

std::string state_of(const std::string& file) {
  struct stat info{};
  if (file.empty() || ::stat(file.c_str(), &info) != 0) return "";
  return std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec) + ":" +
         std::to_string(info.st_size) + ":" + std::to_string(info.st_ino);
}

// Of every file with revocation lists.
std::string lists_state(const Config& config) {
  return state_of(config.crl) + " " + state_of(config.vault_ca);
}

}  // namespace

struct Server::Signals {
  explicit Signals(asio::io_context& io) : set(io, SIGTERM, SIGINT, SIGHUP) {}
  asio::basic_signal_set<Executor> set;
};

Server::Server(Config config, std::string config_file, const Sockets& sockets)
    : config_file_(std::move(config_file)) {
  for (std::uint32_t i = 0; i < config.threads; ++i) {
    ios_.push_back(std::make_unique<asio::io_context>(1));
  }
  revocations_seen_ = lists_state(config);
  const auto tls = Tls::load(config);
  shared_ = std::make_unique<Shared>(
      std::make_shared<const Settings>(Settings{std::move(config), tls, 1}), *ios_.front(),
      sockets.vault);
  for (const auto& io : ios_) workers_.push_back(std::make_unique<Worker>(*io, *shared_));
  signals_ = std::make_unique<Signals>(*ios_.front());
  const auto listen = [this](int fd, Listener kind) {
    // Those that it accepts inherit it.
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof(kSendBufferBytes));
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBufferBytes, sizeof(kReceiveBufferBytes));
    listeners_.push_back(std::make_unique<Descriptor>(*ios_.front(), fd));
    spawn_vital(*ios_.front(), accept_all(this, listeners_.back().get(), kind));
  };
  for (const int fd : sockets.tls) listen(fd, Listener::kTls);
  for (const int fd : sockets.health) listen(fd, Listener::kHealth);
}

Server::~Server() = default;

void Server::run() {
  shared_->link.start();
  wait_for_signal();
  for (const auto& worker : workers_) {
    spawn_vital(worker->io, tick_all(this, worker.get()));
  }
  sandbox::notify("READY=1");
  base::log(Level::kNotice, "gate serves", {{"gate", shared_->settings.load()->config.name}});
  for (std::size_t i = 1; i < ios_.size(); ++i) {
    threads_.emplace_back([io = ios_[i].get()] { io->run(); });
  }
  ios_.front()->run();
  for (std::thread& thread : threads_) thread.join();
  base::log(Level::kNotice, "gate stopped");
}

Awaitable<void> Server::accept_all(Server* self, Descriptor* listener, Listener kind) {
  Timer pause(*self->ios_.front());
  for (;;) {
    error_code failed;
    co_await listener->async_wait(Descriptor::wait_read, asio::redirect_error(kAwait, failed));
    if (failed) co_return;
    for (unsigned i = 0; i < kAcceptsAtOnce; ++i) {
      sockaddr_storage address{};
      socklen_t size = sizeof(address);
      const int fd = ::accept4(listener->native_handle(), reinterpret_cast<sockaddr*>(&address),
                               &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        self->admit(Admission(*self->shared_, fd, kind, address_text(address)));
        continue;
      }
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause.expires_after(std::chrono::milliseconds(100));
        co_await pause.async_wait(asio::redirect_error(kAwait, failed));
      }
      break;
    }
  }
}

void Server::admit(Admission client) {
  if (client.listener() == Listener::kTls) shared_->metrics.accepted();
  if (const auto limit = client.enter(shared_->settings.load()->config.limits)) {
    shared_->count_stranger(client.source(), *limit);
    return;
  }
  Worker& worker = *workers_[next_worker_++ % workers_.size()];
  if (&worker == workers_.front().get()) {
    open(worker, std::move(client));
  } else {
    asio::post(worker.io, [this, &worker, client = std::move(client)]() mutable {
      open(worker, std::move(client));
    });
  }
}

void Server::open(Worker& worker, Admission client) {
  // Once: a reload in between must not pair the new settings with the old ones' TLS.
  auto settings = shared_->settings.load();
  try {
    SslPtr ssl;
    if (client.listener() == Listener::kTls) ssl = settings->tls->accept(client.descriptor());
    if (client.listener() == Listener::kTls && ssl == nullptr) throw std::bad_alloc();
    spawn_client(worker.io, serve(std::make_unique<Connection>(worker, std::move(settings),
                                                               std::move(ssl), std::move(client))));
  } catch (const std::exception&) {  // out of memory, or of what the kernel has for epoll(7)
    base::log(Level::kError, "no room for another connection");
  }
}

Awaitable<void> Server::tick_all(Server* self, Worker* worker) {
  const bool first = worker == self->workers_.front().get();
  unsigned looks = 0;  // while stopping: nobody waits longer than needed
  worker->timer.expires_after(kTick);
  while (!worker->stopping || self->shared_->connections != 0) {
    error_code ignored;
    co_await worker->timer.async_wait(asio::redirect_error(kAwait, ignored));
    worker->timer.expires_after(worker->stopping ? kTick / kLooksPerTick : kTick);
    if (worker->stopping && ++looks % kLooksPerTick != 0) continue;
    worker->tick();
    if (first) self->tick(*worker, looks / kLooksPerTick);
  }
  if (first) self->shared_->link.stop();
}

void Server::tick(Worker& worker, unsigned stopping_s) {
  if (std::ranges::all_of(workers_, [](const auto& each) { return each->ticked.load(); })) {
    for (const auto& each : workers_) each->ticked = false;
    sandbox::still_alive();
  }
  shared_->link.tick();
  watch_revocations();
  if (worker.now % kStrangersEvery_s == 0) report_strangers();
  if (stopping_s == kStopTimeout_s) {
    base::log(Level::kWarning, "requests did not finish in time, cutting them off");
    shared_->link.stop();
    for (const auto& each : workers_) {
      asio::post(each->io, [each = each.get()] { each->abandon(); });
    }
  }
  if (stopping_s > kStopTimeout_s + kStopGrace_s) std::_Exit(1);
}

void Server::report_strangers() {
  if (!shared_->link.up()) return;  // they keep counting until somebody listens
  for (const core::Flood& flood : shared_->strangers.take()) {
    if (!shared_->link.tell(flood)) return;
  }
}

void Server::use(Config config) {
  const auto old = shared_->settings.load();
  auto next = std::make_shared<Settings>();
  next->tls = Tls::load(config);
  next->config = std::move(config);
  next->generation = old->generation + 1;
  const std::uint64_t generation = next->generation;
  shared_->settings.store(std::move(next));
  shared_->generation.store(generation, std::memory_order_release);
}

void Server::reload() {
  try {
    Config config = load_config(config_file_);
    const std::string state = lists_state(config);
    const auto old = shared_->settings.load();
    if (config.name != old->config.name || config.vault_uid != old->config.vault_uid ||
        config.threads != old->config.threads) {
      base::log(Level::kWarning, "name, vault_uid and threads change with a restart only");
    }
    use(std::move(config));
    revocations_seen_ = state;
    base::log(Level::kNotice, "configuration and certificates reloaded");
  } catch (const base::StartupError& error) {
    base::log(Level::kError, "reload failed, the old configuration stays",
              {{"problem", error.what()}});
  }
}

void Server::watch_revocations() {
  const auto settings = shared_->settings.load();
  const std::string state = lists_state(settings->config);
  if (state == revocations_seen_ || state == revocations_failed_) return;
  try {
    use(settings->config);
    revocations_seen_ = state;
    revocations_failed_.clear();
    base::log(Level::kNotice, "revocation list reloaded");
  } catch (const base::StartupError& error) {
    revocations_failed_ = state;
    base::log(Level::kError, "revocation list not reloaded, the old one stays",
              {{"problem", error.what()}});
  }
}

void Server::wait_for_signal() {
  signals_->set.async_wait([this](const error_code& failed, int signal) {
    if (failed) return;
    if (signal != SIGHUP) return stop();
    reload();
    wait_for_signal();
  });
}

void Server::stop() {
  sandbox::notify("STOPPING=1");
  base::log(Level::kNotice, "gate stops: finishing requests in flight");
  for (const auto& listener : listeners_) {
    error_code ignored;
    static_cast<void>(listener->close(ignored));
  }
  for (const auto& worker : workers_) {
    asio::post(worker->io, [worker = worker.get()] { worker->stop(); });
  }
}

}  // namespace cardvault::gate
