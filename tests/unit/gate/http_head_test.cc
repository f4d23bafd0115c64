#include "protocol/gate/http_head.h"

#include <gtest/gtest.h>

#include <string>

namespace cardvault::gate {
namespace {

using base::Code;

std::string head(const std::string& fields) {
  return "POST /v1/tokenize HTTP/1.1\r\nHost: vault\r\n" + fields + "\r\n";
}

TEST(HttpHead, ReadsWhatTheGateActsOn) {
  const std::string block = head(
      "Content-Type: application/json\r\ncontent-length:  42 \r\nIdempotency-Key: k-1\r\n"
      "Expect: 100-Continue\r\nX-Other: \"a\",\tb\r\n");
  const auto parsed = parse_head(block);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->method, "POST");
  EXPECT_EQ(parsed->target, "/v1/tokenize");
  EXPECT_EQ(parsed->content_type, "application/json");
  EXPECT_EQ(parsed->content_length, 42U);
  EXPECT_EQ(parsed->idempotency_key, "k-1");
  EXPECT_FALSE(parsed->repeated_idempotency_key);
  EXPECT_TRUE(parsed->expects_continue);
  EXPECT_TRUE(parsed->keep_alive);
}

TEST(HttpHead, ConnectionCloseIsHonoured) {
  const auto parsed = parse_head(head("Connection: close\r\n"));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_FALSE(parsed->keep_alive);
  EXPECT_FALSE(parsed->content_length.has_value());
}

TEST(HttpHead, NoticesARepeatedIdempotencyKey) {
  const auto parsed = parse_head(head("Idempotency-Key: a\r\nidempotency-key: b\r\n"));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_TRUE(parsed->repeated_idempotency_key);
}

struct Refusal {
  const char* name;
  std::string block;
  Code code;
};

std::vector<Refusal> refusals() {
  const std::string line = "GET / HTTP/1.1\r\n";
  const std::string host = "Host: a\r\n";
  using enum Code;
  return {
      {"obs-fold", head("X: a\r\n b\r\n"), kBadHttp},
      {"obs-fold with tab", head("X: a\r\n\tb\r\n"), kBadHttp},
      {"obs-fold before the first field", line + " Host: a\r\n\r\n", kBadHttp},
      {"bare LF in a field", head("X: a\nY: b\r\n"), kBadHttp},
      {"bare LF line ends", "GET / HTTP/1.1\nHost: a\n\r\n\r\n", kBadHttp},
      {"bare CR", head("X: a\rb\r\n"), kBadHttp},
      {"CR CR LF", head("X: a\r\r\n"), kBadHttp},
      {"NUL", head(std::string("X: a\0b\r\n", 8)), kBadHttp},
      {"control character", head("X: a\x01\r\n"), kBadHttp},
      {"DEL", head("X: a\x7f\r\n"), kBadHttp},
      {"byte over 127", head("X: \xc3\xa9\r\n"), kBadHttp},
      {"HTTP/1.0", "GET / HTTP/1.0\r\n" + host + "\r\n", kHttpVersionRefused},
      {"HTTP/2.0 preface", "PRI * HTTP/2.0\r\n\r\n", kHttpVersionRefused},
      {"HTTP/1.2", "GET / HTTP/1.2\r\n" + host + "\r\n", kHttpVersionRefused},
      {"lower-case version", "GET / http/1.1\r\n" + host + "\r\n", kBadHttp},
      {"HTTP/0.9", "GET /\r\n" + host + "\r\n", kBadHttp},
      {"absolute form", "GET http://a/ HTTP/1.1\r\n" + host + "\r\n", kBadHttp},
      {"authority form", "CONNECT a:443 HTTP/1.1\r\n" + host + "\r\n", kBadHttp},
      {"asterisk form", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n", kBadHttp},
      {"double slash", "GET //a HTTP/1.1\r\n" + host + "\r\n", kBadHttp},
      {"fragment", "GET /a#b HTTP/1.1\r\n" + host + "\r\n", kBadHttp},
      {"two spaces", "GET  / HTTP/1.1\r\n" + host + "\r\n", kBadHttp},
      {"space at the end", "GET / HTTP/1.1 \r\n" + host + "\r\n", kBadHttp},
      {"tab in the request line", "GET\t/ HTTP/1.1\r\n" + host + "\r\n", kBadHttp},
      {"empty line first", "\r\nGET / HTTP/1.1\r\n" + host + "\r\n", kBadHttp},
      {"method of no token", "G(T / HTTP/1.1\r\n" + host + "\r\n", kBadHttp},
      {"no Host", line + "\r\n", kBadHttp},
      {"empty Host", line + "Host: \r\n\r\n", kBadHttp},
      {"repeated Host", line + host + host + "\r\n", kBadHttp},
      {"repeated Host, other case", line + host + "hOST: b\r\n\r\n", kBadHttp},
      {"Host with userinfo", line + "Host: a@b\r\n\r\n", kBadHttp},
      {"Host list", line + "Host: a, b\r\n\r\n", kBadHttp},
      {"repeated Content-Length, same", head("Content-Length: 1\r\nContent-Length: 1\r\n"),
       kBadHttp},
      {"Content-Length list", head("Content-Length: 1, 1\r\n"), kBadHttp},
      {"Content-Length +1", head("Content-Length: +1\r\n"), kBadHttp},
      {"Content-Length -1", head("Content-Length: -1\r\n"), kBadHttp},
      {"Content-Length 0x1", head("Content-Length: 0x1\r\n"), kBadHttp},
      {"Content-Length 1 1", head("Content-Length: 1 1\r\n"), kBadHttp},
      {"Content-Length empty", head("Content-Length:\r\n"), kBadHttp},
      {"Content-Length over 2^64", head("Content-Length: 18446744073709551617\r\n"), kBadHttp},
      {"repeated Content-Type", head("Content-Type: a/b\r\nContent-Type: a/b\r\n"), kBadHttp},
      {"chunked", head("Transfer-Encoding: chunked\r\n"), kTransferEncodingRefused},
      {"identity", head("transfer-encoding: identity\r\n"), kTransferEncodingRefused},
      {"chunked and length", head("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
       kTransferEncodingRefused},
      {"chunked, space before colon", head("Transfer-Encoding : chunked\r\n"), kBadHttp},
      {"space before colon", head("X : a\r\n"), kBadHttp},
      {"empty field name", head(": a\r\n"), kBadHttp},
      {"field without colon", head("X\r\n"), kBadHttp},
      {"Upgrade", head("Connection: upgrade\r\nUpgrade: h2c\r\n"), kBadHttp},
      {"another expectation", head("Expect: 200-ok\r\n"), kBadHttp},
  };
}

TEST(HttpHead, RefusesWhatSmugglersUse) {
  for (const Refusal& c : refusals()) {
    const auto parsed = parse_head(c.block);
    ASSERT_FALSE(parsed.has_value()) << c.name;
    EXPECT_EQ(parsed.error().code, c.code) << c.name;
  }
}

TEST(HttpHead, RefusesTooManyFields) {
  std::string fields;
  for (int i = 0; i < 70; ++i) fields += "X: a\r\n";
  const auto parsed = parse_head(head(fields));
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().code, Code::kHeadersTooLarge);
}

TEST(HeadLength, FindsTheEndAcrossReads) {
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n\r\nnext";
  EXPECT_EQ(head_length(bytes, 0), bytes.size() - 4);
  for (std::size_t n = 0; n < bytes.size() - 4; ++n) {
    EXPECT_EQ(head_length(std::string_view(bytes).substr(0, n), 0), 0U) << n;
    EXPECT_EQ(head_length(bytes, n), bytes.size() - 4) << n;  // searched that far before
  }
}

}  // namespace
}  // namespace cardvault::gate
