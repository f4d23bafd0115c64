#include "protocol/client/endpoint.h"

#include <netdb.h>

#include <charconv>
#include <cstring>

namespace cardvault::client {
namespace {

constexpr std::string_view kScheme = "https://";

base::Result<void> look_up(Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(endpoint.port);
  int error = getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found);
  endpoint.literal = error == 0;
  if (error == EAI_NONAME) {
    hints.ai_flags = 0;
    error = getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found);
  }
  if (error != 0) return base::fail(base::Code::kNotFound, "getaddrinfo", error);
  std::memcpy(&endpoint.address, found->ai_addr, found->ai_addrlen);
  endpoint.address_size = found->ai_addrlen;
  freeaddrinfo(found);
  return {};
}

}  // namespace

base::Result<Endpoint> Endpoint::resolve(std::string_view base_url) {
  const auto bad = [] { return base::fail(base::Code::kInvalidArgument, "parse base URL"); };
  if (!base_url.starts_with(kScheme)) return bad();
  std::string_view rest = base_url.substr(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#@ ") != std::string_view::npos) return bad();
  Endpoint endpoint;
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) return bad();
    endpoint.host = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
  } else {
    const auto colon = rest.find(':');
    endpoint.host = rest.substr(0, colon);
    rest = colon == std::string_view::npos ? "" : rest.substr(colon);
  }
  if (endpoint.host.empty()) return bad();
  if (!rest.empty()) {
    const char* end = rest.data() + rest.size();
    const auto [stop, error] = std::from_chars(rest.data() + 1, end, endpoint.port);
    if (rest.front() != ':' || error != std::errc{} || stop != end || endpoint.port == 0) {
      return bad();
    }
  }
  if (auto looked_up = look_up(endpoint); !looked_up) return std::unexpected(looked_up.error());
  return endpoint;
}

std::string Endpoint::authority() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace cardvault::client
