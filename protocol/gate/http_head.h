// The head of an HTTP/1.1 request, read strictly: what proxies and servers are known to disagree
// about (request smuggling, RFC 9112 section 11.2) is refused, not interpreted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vault/base/result.h"

namespace cardvault::gate {

// Views point into the block that was parsed.
struct RequestHead {
  std::string_view method;
  std::string_view target;
  std::string_view content_type;      // "" when none was sent
  std::string_view content_encoding;  // likewise
  std::string_view idempotency_key;   // likewise
  bool repeated_idempotency_key = false;
  std::optional<std::uint64_t> content_length;
  bool keep_alive = true;
  bool expects_continue = false;
};

// Length of the head (with its empty line) at the beginning of `bytes`; 0 while it is incomplete.
// `from`: how many bytes an earlier call has already searched.
[[nodiscard]] std::size_t head_length(std::string_view bytes, std::size_t from) noexcept;

// The checks that Beast lacks, on the raw block: bare CR or LF, control characters, obs-fold, space
// before a colon, targets not in origin form, other versions, Transfer-Encoding, Upgrade, repeated
// or missing Host, repeated or malformed Content-Length, repeated Content-Type. Returns kBadHttp,
// kHttpVersionRefused, kTransferEncodingRefused or kHeadersTooLarge. Thread-safe.
[[nodiscard]] base::Result<void> check_raw_head(std::string_view block) noexcept;

// check_raw_head, then Boost.Beast's parser. `block` is one whole head.
[[nodiscard]] base::Result<RequestHead> parse_head(std::string_view block);

}  // namespace cardvault::gate
