// Cuts a byte stream into HTTP/1.1 responses (RFC 9112), as strictly as the vault's gates write
// them: a body is framed by Content-Length; a Transfer-Encoding is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "vault/base/result.h"
#include "vault/base/secret.h"

namespace cardvault::client {

// Views into a reader: valid until it is asked for space again.
struct Response {
  int status = 0;
  std::string_view head;  // status line and header fields, without the empty line
  std::string_view body;
  bool keep_alive = true;

  // The value of the first field of this name (case is ignored), "" when absent.
  [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
};

// Not thread-safe. What it has passed on is wiped.
class ResponseReader {
 public:
  static constexpr std::size_t kMaxHead = 16384;
  explicit ResponseReader(std::size_t max_body) : max_body_(max_body) {}

  // Room to read into; then say how many bytes came. Ends the last Response's views.
  [[nodiscard]] std::span<std::uint8_t> space();
  void filled(std::size_t bytes);
  // The next whole response, nothing when more bytes are needed. kBadHttp on anything that is not a
  // final HTTP/1.1 response, kPayloadTooLarge over the limit: the stream is then of no more use.
  [[nodiscard]] base::Result<std::optional<Response>> next();
  // True when no part of a response is waiting.
  [[nodiscard]] bool empty() const noexcept { return end_ == taken_; }

 private:
  [[nodiscard]] base::Result<bool> parse_head(std::string_view data);
  base::SecretBuffer buffer_;
  std::size_t end_ = 0;        // bytes held
  std::size_t taken_ = 0;      // of them: the response given out last
  std::size_t head_size_ = 0;  // with its empty line; 0: not seen whole yet
  std::size_t body_size_ = 0;
  std::size_t max_body_;
  int status_ = 0;
  bool keep_alive_ = true;
};

}  // namespace cardvault::client
