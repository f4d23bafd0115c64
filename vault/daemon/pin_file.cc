#include "vault/daemon/pin_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "vault/base/log.h"
#include "vault/daemon/descriptor_store.h"

namespace cardvault::daemon {
namespace {

constexpr std::string_view kName = "cardvault-pin";
constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
constexpr std::size_t kMostBytes = 256;

[[noreturn]] void no_memory(const char* what) {
  throw base::StartupError(std::string("no memory for the PIN: ") + what + ": " +
                           std::strerror(errno));
}

}  // namespace

PinFile PinFile::hold(std::span<const std::uint8_t> pin) {
  Fd fd(::memfd_create(std::string(kName).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) no_memory("memfd_create");
  if (::fchmod(fd.get(), 0400) != 0) no_memory("fchmod");
  if (::write(fd.get(), pin.data(), pin.size()) != static_cast<ssize_t>(pin.size())) {
    no_memory("write");
  }
  return {std::move(fd), false};
}

std::optional<PinFile> PinFile::inherited() {
  auto fd = inherited_descriptor(kName);
  if (!fd) return std::nullopt;
  struct stat status{};
  const bool ours = ::fcntl(fd->get(), F_GET_SEALS) == kSeals && ::fstat(fd->get(), &status) == 0 &&
                    status.st_uid == ::geteuid() && status.st_size > 0 &&
                    static_cast<std::size_t>(status.st_size) <= kMostBytes;
  if (!ours) {
    base::log(base::Level::kError, "what the service manager kept is not this vault's PIN: unused");
    return std::nullopt;
  }
  return PinFile(std::move(*fd), true);
}

PinFile::~PinFile() {
  if (!fd_ || kept_) return;
  constexpr std::array<char, kMostBytes> kZeros{};
  struct stat status{};
  if (::fstat(fd_.get(), &status) != 0) return;
  const auto size = static_cast<std::size_t>(status.st_size);
  static_cast<void>(::pwrite(fd_.get(), kZeros.data(), std::min(size, kZeros.size()), 0) == 0);
}

std::string PinFile::source() const { return "file:/proc/self/fd/" + std::to_string(fd_.get()); }

bool PinFile::keep() {
  if (kept_) return true;
  if (::fcntl(fd_.get(), F_ADD_SEALS, kSeals) != 0) return false;
  kept_ = true;  // sealed: it can't be overwritten any more
  if (const auto stored = store_descriptor(fd_, kName); !stored) {
    base::log(
        base::Level::kWarning,
        "unseal.survive_crash: no service manager takes the PIN; a crash will need custodians",
        stored.error());
    return false;
  }
  return true;
}

void PinFile::forget() { static_cast<void>(forget_descriptor(kName)); }

}  // namespace cardvault::daemon
