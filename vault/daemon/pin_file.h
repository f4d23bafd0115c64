// A PIN that custodians gave, as a file that pin-source can name: in anonymous memory, reachable by
// this process alone.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "vault/daemon/unix_socket.h"

namespace cardvault::daemon {

class PinFile {
 public:
  // Throws StartupError when the kernel gives no memory.
  [[nodiscard]] static PinFile hold(std::span<const std::uint8_t> pin);
  // The one that the service manager kept over a crash; nullopt when there is none, or what came is
  // no sealed memory of this user's.
  [[nodiscard]] static std::optional<PinFile> inherited();

  PinFile(PinFile&&) noexcept = default;
  PinFile& operator=(PinFile&&) noexcept = default;
  PinFile(const PinFile&) = delete;             // one owner wipes it
  PinFile& operator=(const PinFile&) = delete;  // one owner wipes it
  ~PinFile();                                   // overwrites it, unless the manager has it too

  // As a pin-source attribute names it (RFC 7512). Good as long as this lives.
  [[nodiscard]] std::string source() const;
  // Leaves it with the service manager too, sealed against any change (memfd_create(2)): from then
  // on a crash heals by itself. False, and said in the log, when there is no manager that takes it.
  bool keep();
  // The manager drops what it has; a crash after that leaves the vault sealed.
  static void forget();

 private:
  PinFile(Fd fd, bool kept) : fd_(std::move(fd)), kept_(kept) {}
  Fd fd_;
  bool kept_;
};

}  // namespace cardvault::daemon
