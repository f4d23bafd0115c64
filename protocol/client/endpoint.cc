#include "protocol/client/endpoint.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "vault/base/ascii.h"

namespace cardvault::client {
namespace {

constexpr std::string_view kScheme = "https://";

bool is_address(const std::string& host) {
  std::array<std::uint8_t, sizeof(in6_addr)> bytes{};
  return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

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
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    Address& address = endpoint.addresses.emplace_back();
    std::memcpy(&address.bytes, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
  }
  freeaddrinfo(found);
  if (!endpoint.literal) return {};
  endpoint.host = endpoint.host.substr(0, endpoint.host.find('%'));
  if (is_address(endpoint.host)) return {};
  // As "127.1": no certificate names it so.
  return base::fail(base::Code::kInvalidArgument, "parse base URL");
}

}  // namespace

base::Result<Endpoint> Endpoint::resolve(std::string_view base_url) {
  const auto bad = [] { return base::fail(base::Code::kInvalidArgument, "parse base URL"); };
  if (!base::same_text(base_url.substr(0, kScheme.size()), kScheme)) return bad();
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
