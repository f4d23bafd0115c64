// Where a gate listens.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vault/base/result.h"

namespace cardvault::client {

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

struct Endpoint {
  std::string host;  // as in the URL, without brackets: what the server's certificate must name
  std::uint16_t port = 443;
  bool literal = false;            // the host is an IP address
  std::vector<Address> addresses;  // of the host; not each need be one that is listened at

  // "https://host[:port][/]", host a name or an address, IPv6 in brackets. Resolves the name, which
  // blocks. An address with a zone (RFC 6874) is that of the zone, and its name is without it.
  // kInvalidArgument on another form, kNotFound when the name has no address.
  [[nodiscard]] static base::Result<Endpoint> resolve(std::string_view base_url);
  // "host:port" for a Host header (RFC 9110 7.2).
  [[nodiscard]] std::string authority() const;
};

}  // namespace cardvault::client
