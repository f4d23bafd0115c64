// Where a gate listens.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "vault/base/result.h"

namespace cardvault::client {

struct Endpoint {
  std::string host;  // as in the URL, without brackets: what the server's certificate must name
  std::uint16_t port = 443;
  bool literal = false;  // the host is an IP address
  sockaddr_storage address{};
  socklen_t address_size = 0;

  // "https://host[:port][/]", host a name or an address, IPv6 in brackets. Resolves the name, which
  // blocks. kInvalidArgument on another form, kNotFound when the name has no address.
  [[nodiscard]] static base::Result<Endpoint> resolve(std::string_view base_url);
  // "host:port" for a Host header (RFC 9110 7.2).
  [[nodiscard]] std::string authority() const;
};

}  // namespace cardvault::client
