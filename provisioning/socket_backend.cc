#include "provisioning/socket_backend.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "provisioning/exit_code.h"

namespace cardvault::provisioning {
namespace {

[[noreturn]] void broken(const std::string& what) {
  throw ToolError(ExitCode::kUnreachable,
                  what + ": see the vault's log, and repeat the command once it runs");
}

}  // namespace

std::unique_ptr<SocketBackend> SocketBackend::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    throw ToolError(ExitCode::kLocal,
                    "vault.admin_socket: a Unix socket's path has 1 to 107 bytes, not " +
                        std::to_string(path.size()));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw ToolError(ExitCode::kLocal, std::string("socket: ") + std::strerror(errno));
  std::unique_ptr<SocketBackend> line(new SocketBackend(fd));
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return nullptr;
    throw ToolError(ExitCode::kUnreachable, path + ": " + std::strerror(errno) +
                                                ": use an account that [admin] operators names");
  }
  line->greet();
  return line;
}

SocketBackend::~SocketBackend() { ::close(fd_); }

void SocketBackend::greet() {
  base::SecretBuffer out;
  wire::encode(out, 0, wire::Hello{.version = wire::kProtocolVersion, .name = "cardvault"});
  send(out);
  const wire::Frame frame = receive();
  if (frame.type == wire::FrameType::kAdminAnswer) {  // a refusal in place of a greeting
    const auto answer = wire::decode_admin_answer(frame.payload);
    throw ToolError(ExitCode::kRefused, answer ? answer->message : "the vault refused the line");
  }
  const auto hello = wire::decode_hello(frame.payload);
  if (frame.type != wire::FrameType::kHello || !hello) broken("the vault did not greet");
  if (hello->version != wire::kProtocolVersion) {
    throw ToolError(ExitCode::kUnreachable, "the vault speaks protocol " +
                                                std::to_string(hello->version) + ", this tool " +
                                                std::to_string(wire::kProtocolVersion) +
                                                ": use the cardvault program of the same package");
  }
}

void SocketBackend::send(const base::SecretBuffer& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) broken(std::string("the vault hung up: ") + std::strerror(errno));
    sent += static_cast<std::size_t>(n);
  }
}

wire::Frame SocketBackend::receive() {
  while (true) {
    const auto frame = reader_.next();
    if (!frame) broken("the vault sent what is no frame");
    if (*frame) return **frame;
    const auto space = reader_.space();
    const ssize_t n = ::recv(fd_, space.data(), space.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) broken("the vault hung up before it answered");
    reader_.filled(static_cast<std::size_t>(n));
  }
}

wire::AdminAnswer SocketBackend::run(wire::AdminRequest request, const Partial& partial) {
  const std::uint64_t id = next_id_++;
  base::SecretBuffer out;
  if (!wire::encode(out, id, request)) {
    throw ToolError(ExitCode::kUsage, "the arguments are longer than a frame (1 MiB)");
  }
  send(out);
  while (true) {
    const wire::Frame frame = receive();
    if (frame.type != wire::FrameType::kAdminAnswer || frame.id != id) {
      broken("the vault answered something else");
    }
    auto answer = wire::decode_admin_answer(frame.payload);
    if (!answer) broken("the vault's answer does not read");
    if (!answer->more) return std::move(*answer);
    partial(*answer);
  }
}

}  // namespace cardvault::provisioning
