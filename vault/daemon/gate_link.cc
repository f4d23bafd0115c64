#include "vault/daemon/gate_link.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "vault/base/log.h"
#include "vault/daemon/gate_claims.h"

namespace cardvault::daemon {

using base::Code;
using base::fail;
using base::Level;

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kHelloTime = std::chrono::seconds(5);  // for all of it, in whatever pieces
constexpr auto kDrainTime = std::chrono::seconds(2);
constexpr auto kRetry = std::chrono::milliseconds(100);

// One read(2) into the frames. False at the end of the connection.
bool read_some(const Fd& fd, wire::FrameReader& frames) {
  const auto room = frames.space();
  ssize_t n = 0;
  do {
    n = ::recv(fd.get(), room.data(), room.size(), 0);
  } while (n < 0 && errno == EINTR);
  if (n <= 0) return false;
  frames.filled(static_cast<std::size_t>(n));
  return true;
}

int left_ms(SteadyClock::time_point end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - SteadyClock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

base::Result<void> say_hello(const Fd& fd, wire::FrameReader& frames) {
  const auto end = SteadyClock::now() + kHelloTime;
  base::SecretBuffer hello;
  wire::encode(hello, 0, wire::Hello{wire::kProtocolVersion, "cardvaultd"});
  if (auto sent = send_all(fd, hello, left_ms(end)); !sent) return sent;
  for (;;) {
    auto frame = frames.next();
    if (!frame) return std::unexpected(frame.error());
    if (!*frame) {
      pollfd waiting{fd.get(), POLLIN, 0};
      if (::poll(&waiting, 1, left_ms(end)) <= 0 || !read_some(fd, frames)) {
        return fail(Code::kVaultUnavailable, "link.hello");
      }
      continue;
    }
    if ((*frame)->type != wire::FrameType::kHello) {
      return fail(Code::kInvalidArgument, "link.hello");
    }
    const auto theirs = wire::decode_hello((*frame)->payload);
    if (!theirs) return std::unexpected(theirs.error());
    if (theirs->version != wire::kProtocolVersion) {
      return fail(Code::kInvalidArgument, "link.version", theirs->version);
    }
    return {};
  }
}

}  // namespace

GateLink::GateLink(const GateConfig& config, Submit submit, FloodCounter& floods,
                   Outboxes& outboxes, Ready ready)
    : config_(config),
      ceiling_(std::make_shared<const core::Ceiling>(config.ceiling)),
      submit_(std::move(submit)),
      floods_(floods),
      outboxes_(outboxes),
      ready_(std::move(ready)),
      thread_([this] { run(); }) {}

GateLink::~GateLink() { finish(SteadyClock::now() + kDrainTime); }

void GateLink::finish(SteadyClock::time_point until) {
  stop_reading();
  if (thread_.joinable()) thread_.join();
  const auto connection = std::exchange(connection_, nullptr);
  if (!connection) return;
  if (connection->outbox) connection->outbox->drain(until);
  ::shutdown(connection->fd.get(), SHUT_RDWR);  // a write that still waits for the gate ends
}

void finish(std::list<GateLink>& links) {
  for (GateLink& link : links) link.stop_reading();
  const auto until = SteadyClock::now() + kDrainTime;
  for (GateLink& link : links) link.finish(until);
}

void GateLink::set_ceiling_of(const core::Ceiling& ceiling) {
  if (ceiling.gate != config_.ceiling.gate) return;
  ceiling_.store(std::make_shared<const core::Ceiling>(ceiling));
}

void GateLink::stop_reading() {
  stopping_ = true;
  const std::scoped_lock lock(mutex_);
  if (reading_fd_ >= 0) ::shutdown(reading_fd_, SHUT_RD);
}

void GateLink::run() {
  bool told = false;
  while (!stopping_) {
    auto fd = connect_unix(config_.socket);
    if (!fd) {
      if (!told) {
        base::log(Level::kNotice, "waiting for gate", {{"gate", config_.ceiling.gate}});
        told = true;
      }
      std::this_thread::sleep_for(kRetry);
      continue;
    }
    const auto peer = peer_credentials(*fd);
    if (!peer || (config_.uid >= 0 && peer->uid != static_cast<std::uint32_t>(config_.uid))) {
      base::log(
          Level::kError, "the socket of a gate belongs to another user than configured",
          {{"gate", config_.ceiling.gate}, {"uid", peer ? std::to_string(peer->uid) : "unknown"}});
      note("wrong_user");
      std::this_thread::sleep_for(10 * kRetry);
      continue;
    }
    told = false;
    connection_ = std::make_shared<Connection>();
    connection_->fd = std::move(*fd);
    serve();
    if (!stopping_) std::this_thread::sleep_for(kRetry);
  }
}

void GateLink::serve() {
  const auto connection = connection_;
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
    reading_fd_ = connection->fd.get();
  }
  wire::FrameReader frames;
  if (auto hello = say_hello(connection->fd, frames); hello) {
    connection->outbox = std::make_unique<Outbox>(connection->fd, outboxes_);
    read_requests(connection, frames);
  } else {
    base::log(Level::kWarning, "a gate did not greet", hello.error());
  }
  const std::scoped_lock lock(mutex_);
  reading_fd_ = -1;
  if (stopping_) return;  // what was asked is still answered
  if (connection->outbox) connection->outbox->close();
  ::shutdown(connection->fd.get(), SHUT_RDWR);
}

void GateLink::read_requests(const std::shared_ptr<Connection>& connection,
                             wire::FrameReader& frames) {
  connected_ = true;
  base::log(Level::kInfo, "gate connected", {{"gate", config_.ceiling.gate}});
  bool well = true;
  while (well && !stopping_) {
    auto frame = frames.next();
    if (!frame) {
      base::log(Level::kError, "a gate sent a malformed frame", frame.error());
      note("malformed_frame");
      break;
    }
    if (*frame) {
      well = take(connection, **frame);
    } else {
      connection->outbox->flush();  // what was answered at once
      well = read_some(connection->fd, frames);
    }
  }
  connected_ = false;
  if (!stopping_) {
    base::log(Level::kNotice, "gate disconnected", {{"gate", config_.ceiling.gate}});
  }
}

// What a gate does that no gate of ours would, into the log.
void GateLink::note(std::string_view reason) {
  floods_.add("gate:" + config_.ceiling.gate, "", reason);
}

void GateLink::answer_ready(const std::shared_ptr<Connection>& connection, std::uint64_t id) {
  const core::Answer answer = ready_();
  connection->outbox->append([&](base::SecretBuffer& out) { wire::encode(out, id, answer); });
}

bool GateLink::take(const std::shared_ptr<Connection>& connection, const wire::Frame& frame) {
  if (frame.type != wire::FrameType::kRequest) return false;
  auto request = wire::decode_request(frame.payload);
  if (!request) {
    base::log(Level::kError, "a gate sent a malformed request", request.error());
    note("malformed_frame");
    return false;
  }
  if (const auto* flood = std::get_if<core::Flood>(&request->request)) {
    floods_.add("gate:" + config_.ceiling.gate, logged_address(flood->source),
                logged_reason(flood->reason), flood->count);
    return true;
  }
  if (std::holds_alternative<core::ReadyCheck>(request->request)) {
    answer_ready(connection, frame.id);
    return true;
  }
  request->caller = logged_caller(std::move(request->caller));
  submit_(
      *ceiling_.load(), std::move(*request), [connection, id = frame.id](core::Response response) {
        const core::Answer answer = std::move(response).take();
        connection->outbox->append([&](base::SecretBuffer& out) { wire::encode(out, id, answer); });
      });
  return true;
}

}  // namespace cardvault::daemon
