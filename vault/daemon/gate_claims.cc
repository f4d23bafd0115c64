#include "vault/daemon/gate_claims.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "vault/core/pan.h"

namespace cardvault::daemon {
namespace {

constexpr std::size_t kMaxSerial = 64;
constexpr std::array<std::string_view, 9> kReasons = {
    "tls_handshake", "tls_version",       "tls_no_certificate", "tls_untrusted", "tls_expired",
    "tls_revoked",   "timeout_handshake", "connection_limit",   "source_limit"};

bool serial_form(std::string_view serial) {
  return serial.size() <= kMaxSerial &&
         serial.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos &&
         !core::contains_pan(serial);
}

}  // namespace

std::string logged_address(const std::string& source) {
  in6_addr parsed{};
  const bool address = source.empty() || source == "*" ||
                       ::inet_pton(AF_INET, source.c_str(), &parsed) == 1 ||
                       ::inet_pton(AF_INET6, source.c_str(), &parsed) == 1;
  return address ? source : "?";
}

std::string_view logged_reason(std::string_view reason) noexcept {
  const auto* const at = std::ranges::find(kReasons, reason);
  return at == kReasons.end() ? "unnamed" : *at;
}

core::Caller logged_caller(core::Caller claimed) {
  claimed.source = logged_address(claimed.source);
  if (!serial_form(claimed.serial)) claimed.serial = "?";
  return claimed;
}

}  // namespace cardvault::daemon
