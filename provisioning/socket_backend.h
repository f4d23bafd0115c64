// A running vault, over its admin socket: frames on a Unix socket, Hello first (DESIGN section 5).
#pragma once

#include <memory>
#include <string>

#include "protocol/wire/frame.h"
#include "provisioning/backend.h"

namespace cardvault::provisioning {

class SocketBackend : public Backend {
 public:
  // Null when nothing listens there (no file, or refused): the vault is stopped. Throws ToolError
  // when the socket may not be used, or the other end speaks another protocol version.
  [[nodiscard]] static std::unique_ptr<SocketBackend> connect(const std::string& path);

  SocketBackend(const SocketBackend&) = delete;             // owns a descriptor
  SocketBackend& operator=(const SocketBackend&) = delete;  // owns a descriptor
  ~SocketBackend() override;

  [[nodiscard]] wire::AdminAnswer run(wire::AdminRequest request, const Partial& partial) override;
  [[nodiscard]] bool running() const override { return true; }

 private:
  explicit SocketBackend(int fd) : fd_(fd) {}
  void greet();
  void send(const base::SecretBuffer& bytes);
  [[nodiscard]] wire::Frame receive();

  int fd_;
  std::uint64_t next_id_ = 1;
  wire::FrameReader reader_;
};

}  // namespace cardvault::provisioning
