#include "tests/bench/workload.h"

#include <algorithm>
#include <cstring>

#include "protocol/client/client.h"
#include "vault/base/check.h"

namespace cardvault::bench {
namespace {

constexpr auto kNone = std::string_view::npos;

constexpr std::string_view kPanMark = "PPPPPPPPPPPPPPPP";
constexpr std::string_view kCustomerMark = "CCCCCCCCCCC";
constexpr std::string_view kTokenMark = "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTT";
constexpr std::string_view kTokenizeItem =
    R"({"pan":"PPPPPPPPPPPPPPPP","expiry":"2029-12","customer":"CCCCCCCCCCC"})";
constexpr std::string_view kSealItem =
    R"({"subject":"CCCCCCCCCCC","purpose":"verify_login","recipient":"sms-gateway"})";
constexpr std::string_view kVerifyItem =
    R"({"subject":"CCCCCCCCCCC","purpose":"verify_login","code":"000000"})";
static_assert(kPanMark.size() == kPanDigits && kCustomerMark.size() == kCustomerDigits &&
              kTokenMark.size() == kTokenSize);

// Not std::string_view::find, which stops at every quotation mark: this runs once per answer.
std::size_t find_from(std::string_view body, std::string_view wanted, std::size_t at) {
  const void* found = ::memmem(body.data() + at, body.size() - at, wanted.data(), wanted.size());
  return found == nullptr ? kNone
                          : static_cast<std::size_t>(static_cast<const char*>(found) - body.data());
}

}  // namespace

RequestTemplate::RequestTemplate(const client::Endpoint& to, std::string_view path,
                                 std::string_view item, std::size_t batch)
    : items_(batch), stride_(item.size() + 1) {
  std::string body;
  if (batch == 1) {
    body = item;
  } else {
    body = R"({"items":[)";
    for (std::size_t i = 0; i < batch; ++i) body.append(item).append(",");
    body.back() = ']';
    body += '}';
  }
  client::append_request(bytes_, to, {.method = "POST", .path = path, .body = body});
  first_ = base::as_text(bytes_).find(item);
  CARDVAULT_CHECK(first_ != kNone);
}

RequestTemplate RequestTemplate::tokenize(const client::Endpoint& to, std::size_t batch) {
  RequestTemplate made(to, "/v1/tokenize", kTokenizeItem, batch);
  made.value_ = kTokenizeItem.find(kPanMark);
  made.customer_ = kTokenizeItem.find(kCustomerMark);
  return made;
}

RequestTemplate RequestTemplate::detokenize(const client::Endpoint& to, std::size_t batch,
                                            const std::string& purpose) {
  const std::string item =
      R"({"token":")" + std::string(kTokenMark) + R"(","purpose":")" + purpose + R"("})";
  RequestTemplate made(to, "/v1/detokenize", item, batch);
  made.value_ = item.find(kTokenMark);
  return made;
}

RequestTemplate RequestTemplate::otp_seal(const client::Endpoint& to) {
  RequestTemplate made(to, "/v1/otp/seal", kSealItem, 1);
  made.customer_ = kSealItem.find(kCustomerMark);
  return made;
}

RequestTemplate RequestTemplate::otp_verify(const client::Endpoint& to) {
  RequestTemplate made(to, "/v1/otp/verify", kVerifyItem, 1);
  made.customer_ = kVerifyItem.find(kCustomerMark);
  return made;
}

std::span<const std::uint8_t> RequestTemplate::with_subject(Subjects& subjects) {
  std::uint64_t number = subjects.first + subjects.next;
  subjects.next = subjects.next + 1 == subjects.count ? 0 : subjects.next + 1;
  const auto digits = at(0, customer_, kCustomerDigits);
  digits[0] = '7';
  for (std::size_t i = kCustomerDigits; i-- > 1; number /= 10) {
    digits[i] = static_cast<char>('0' + number % 10);
  }
  return bytes_;
}

std::span<char> RequestTemplate::at(std::size_t item, std::size_t offset, std::size_t size) {
  auto* start = reinterpret_cast<char*>(bytes_.data()) + first_ + item * stride_ + offset;
  return {start, size};
}

std::span<const std::uint8_t> RequestTemplate::with_cards(CardStream& cards) {
  for (std::size_t i = 0; i < items_; ++i) {
    cards.next(at(i, value_, kPanDigits).first<kPanDigits>(),
               at(i, customer_, kCustomerDigits).first<kCustomerDigits>());
  }
  return bytes_;
}

std::span<const std::uint8_t> RequestTemplate::with_tokens(std::span<const TokenText> tokens,
                                                           std::size_t& next) {
  for (std::size_t i = 0; i < items_; ++i) {
    std::ranges::copy(tokens[next], at(i, value_, kTokenSize).begin());
    next = next + 1 == tokens.size() ? 0 : next + 1;
  }
  return bytes_;
}

void collect_tokens(std::string_view body, std::vector<TokenText>& tokens) {
  constexpr std::string_view kField = R"("token":")";
  for (auto at = find_from(body, kField, 0); at != kNone; at = find_from(body, kField, at)) {
    at += kField.size();
    if (body.size() - at < kTokenSize || !body.substr(at).starts_with("tok_")) continue;
    std::ranges::copy(body.substr(at, kTokenSize), tokens.emplace_back().begin());
  }
}

Problems find_problems(std::string_view body) {
  constexpr std::string_view kField = R"("code":")";
  Problems found;
  for (auto at = find_from(body, kField, 0); at != kNone; at = find_from(body, kField, at)) {
    at += kField.size();
    if (found.count++ == 0) found.first = body.substr(at, body.find('"', at) - at);
  }
  return found;
}

}  // namespace cardvault::bench
