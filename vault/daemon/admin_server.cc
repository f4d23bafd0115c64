#include "vault/daemon/admin_server.h"

#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "vault/base/log.h"

namespace cardvault::daemon {

using base::Code;
using base::fail;

namespace {

constexpr int kSendMs = 30'000;
constexpr int kPollMs = 200;
constexpr auto kLastAnswer = std::chrono::seconds(2);

std::string login_name(std::uint32_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> buffer{};
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return found->pw_name;
  }
  return "uid=" + std::to_string(uid);
}

base::Result<void> send_answer(const Fd& fd, std::uint64_t id, const wire::AdminAnswer& answer) {
  base::SecretBuffer out;
  wire::encode(out, id, answer);
  return send_all(fd, out, kSendMs);
}

}  // namespace

AdminServer::AdminServer(const std::string& socket, AdminHandler& handler,
                         std::vector<Operator> operators)
    : path_(socket), handler_(handler), operators_(std::move(operators)) {
  auto listener = listen_unix(socket);
  if (!listener) {
    throw base::StartupError("cannot listen on " + socket + " (errno " +
                             std::to_string(listener.error().number) +
                             "): check that its directory exists and is this user's");
  }
  listener_ = std::move(*listener);
}

void AdminServer::start() {
  thread_ = std::thread([this] { run(); });
}

AdminServer::~AdminServer() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  // An answer that is being made still goes out; who doesn't take it is cut off.
  for (Session& session : sessions_) ::shutdown(session.fd.get(), SHUT_RD);
  const auto patience = std::chrono::steady_clock::now() + kLastAnswer;
  for (Session& session : sessions_) {
    while (!session.over && std::chrono::steady_clock::now() < patience) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ::shutdown(session.fd.get(), SHUT_RDWR);
    session.thread.join();
  }
  ::unlink(path_.c_str());
}

base::Result<std::string> AdminServer::operator_of(const Fd& fd) const {
  auto peer = peer_credentials(fd);
  if (!peer) return std::unexpected(peer.error());
  if (operators_.empty()) {
    if (peer->uid == 0 || peer->uid == ::getuid()) return login_name(peer->uid);
    return fail(Code::kNotAllowed, "admin.operator", peer->uid);
  }
  const auto at = std::ranges::find(operators_, peer->uid, &Operator::uid);
  if (at == operators_.end()) return fail(Code::kNotAllowed, "admin.operator", peer->uid);
  return at->name;
}

void AdminServer::run() {
  while (!stopping_) {
    sessions_.remove_if([](Session& session) {
      if (!session.over) return false;
      session.thread.join();
      return true;
    });
    pollfd waiting{listener_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, kPollMs) <= 0) continue;
    Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd || sessions_.size() >= kMaxConnections) continue;
    Session& session = sessions_.emplace_back();
    session.fd = std::move(fd);
    session.thread = std::thread([this, &session] {
      serve(session);
      session.over = true;
    });
  }
}

void AdminServer::serve(Session& session) {
  const auto name = operator_of(session.fd);
  if (!name) {
    handler_.refuse_stranger(static_cast<std::uint32_t>(name.error().number));
    wire::AdminAnswer answer;
    answer.ok = false;
    answer.code = Code::kNotAllowed;
    answer.message = "this user is not an operator of the vault: add it to [admin] operators";
    static_cast<void>(send_answer(session.fd, 0, answer));
    return;
  }
  wire::FrameReader frames;
  for (;;) {
    auto frame = frames.next();
    if (!frame) return;
    if (!*frame) {
      const auto room = frames.space();
      const ssize_t n = ::recv(session.fd.get(), room.data(), room.size(), 0);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;
      frames.filled(static_cast<std::size_t>(n));
      continue;
    }
    if ((*frame)->type == wire::FrameType::kHello) {
      base::SecretBuffer hello;
      wire::encode(hello, (*frame)->id, wire::Hello{wire::kProtocolVersion, "cardvaultd"});
      if (!send_all(session.fd, hello, kSendMs)) return;
      continue;
    }
    const std::uint64_t id = (*frame)->id;
    auto request = wire::decode_admin_request((*frame)->payload);
    if ((*frame)->type != wire::FrameType::kAdminRequest || !request) return;
    bool alive = true;
    bool cut_off = false;  // told to end before its time: no answer is better than half of one
    const auto answer = handler_.run(*request, *name, [&](wire::AdminAnswer part) {
      part.more = true;
      alive = alive && send_answer(session.fd, id, part).has_value();
      cut_off = cut_off || stopping_;
      return alive && !cut_off;
    });
    if (!alive || cut_off || !send_answer(session.fd, id, answer)) return;
  }
}

}  // namespace cardvault::daemon
