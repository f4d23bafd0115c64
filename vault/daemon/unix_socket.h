// Unix stream sockets: the only kind of socket that cardvaultd has.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "vault/base/result.h"

namespace cardvault::daemon {

// A descriptor with one owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    reset();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  Fd(const Fd&) = delete;             // one owner closes it
  Fd& operator=(const Fd&) = delete;  // one owner closes it
  ~Fd() { reset(); }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

// Errors: kVaultUnavailable with errno.
[[nodiscard]] base::Result<Fd> connect_unix(const std::string& path);
// Replaces a stale socket file; mode 0660. The caller holds the vault's lock, so nobody listens
// there.
[[nodiscard]] base::Result<Fd> listen_unix(const std::string& path);

struct PeerCredentials {
  std::uint32_t uid = 0;
  std::int32_t pid = 0;
};
// Who connected, or who called listen(2) on the other side (unix(7), SO_PEERCRED).
[[nodiscard]] base::Result<PeerCredentials> peer_credentials(const Fd& fd);

// Writes all, waiting at most timeout_ms for room each time. kVaultUnavailable when it can't.
[[nodiscard]] base::Result<void> send_all(const Fd& fd, std::span<const std::uint8_t> bytes,
                                          int timeout_ms);

}  // namespace cardvault::daemon
