#include "vault/daemon/descriptor_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <sstream>
#include <string>

#include "vault/sandbox/notify_socket.h"

namespace cardvault::daemon {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

base::Result<void> store_descriptor(const Fd& fd, std::string_view name) {
  return sandbox::notify_surely("FDSTORE=1\nFDNAME=" + std::string(name), fd.get());
}

base::Result<void> forget_descriptor(std::string_view name) {
  return sandbox::notify_surely("FDSTOREREMOVE=1\nFDNAME=" + std::string(name), -1);
}

std::optional<Fd> inherited_descriptor(std::string_view name) {
  if (environment("LISTEN_PID") != std::to_string(::getpid())) return std::nullopt;
  const std::string listed = environment("LISTEN_FDS");
  int count = 0;  // of what is no number
  std::from_chars(listed.data(), listed.data() + listed.size(), count);
  std::istringstream names(environment("LISTEN_FDNAMES"));
  std::optional<Fd> found;
  std::string one;
  for (int i = 0; i < count && std::getline(names, one, ':'); ++i) {
    if (one != name) continue;
    Fd fd(kFirst + i);
    if (found || ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0) continue;
    found = std::move(fd);
  }
  ::unsetenv("LISTEN_PID");
  ::unsetenv("LISTEN_FDS");
  ::unsetenv("LISTEN_FDNAMES");
  return found;
}

}  // namespace cardvault::daemon
