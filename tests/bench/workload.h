// What the load generator asks: requests whose bytes are made once and patched in place.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "protocol/client/endpoint.h"
#include "tests/bench/card_stream.h"
#include "vault/base/secret.h"

namespace cardvault::bench {

inline constexpr std::size_t kTokenSize = 30;  // "tok_" and 26 characters
using TokenText = std::array<char, kTokenSize>;

enum class Mode : std::uint8_t {
  kTokenize,
  kDetokenize,
  kMixed,
  kOtpSeal,
  kOtpVerify,  // wrong codes: each is counted and answered 403
  kHandshake,
  kIdle
};
// The status of an answer as it should be.
[[nodiscard]] inline int wanted_status(Mode mode) noexcept {
  return mode == Mode::kOtpVerify ? 403 : 200;
}

// Subjects of codes: so many of them, one after another and again from the first.
struct Subjects {
  std::uint64_t first = 0;
  std::uint64_t count = 1;
  std::uint64_t next = 0;
};

// One request of `batch` items (1: the single form), patched for each sending. Not thread-safe.
class RequestTemplate {
 public:
  [[nodiscard]] static RequestTemplate tokenize(const client::Endpoint& to, std::size_t batch);
  [[nodiscard]] static RequestTemplate detokenize(const client::Endpoint& to, std::size_t batch,
                                                  const std::string& purpose);
  [[nodiscard]] static RequestTemplate otp_seal(const client::Endpoint& to);
  [[nodiscard]] static RequestTemplate otp_verify(const client::Endpoint& to);

  // The next subject; moves on.
  std::span<const std::uint8_t> with_subject(Subjects& subjects);
  // The next cards of the stream.
  std::span<const std::uint8_t> with_cards(CardStream& cards);
  // Tokens from `next` on, in turn; moves `next`.
  std::span<const std::uint8_t> with_tokens(std::span<const TokenText> tokens, std::size_t& next);

 private:
  RequestTemplate(const client::Endpoint& to, std::string_view path, std::string_view item,
                  std::size_t batch);
  [[nodiscard]] std::span<char> at(std::size_t item, std::size_t offset, std::size_t size);

  base::SecretBuffer bytes_;
  std::size_t items_;
  std::size_t first_;         // offset of the first item
  std::size_t stride_;        // from one item to the next
  std::size_t value_ = 0;     // offsets inside an item: PAN or token,
  std::size_t customer_ = 0;  // and customer
};

// Appends the tokens of a tokenize answer, single or batch.
void collect_tokens(std::string_view body, std::vector<TokenText>& tokens);

// The `code` of the first problem in a body, "" when there is none; counts them all.
struct Problems {
  std::size_t count = 0;
  std::string_view first;
};
[[nodiscard]] Problems find_problems(std::string_view body);

}  // namespace cardvault::bench
