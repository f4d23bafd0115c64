#include "protocol/client/response_reader.h"

#include <gtest/gtest.h>

#include <string>

namespace cardvault::client {
namespace {

using base::Code;

void feed(ResponseReader& reader, std::string_view text) {
  const auto room = reader.space();
  ASSERT_LE(text.size(), room.size());
  std::memcpy(room.data(), text.data(), text.size());
  reader.filled(text.size());
}

constexpr std::string_view kAnswer =
    "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 5\r\nRetry-After:  7 \r\n\r\nhello";

TEST(ResponseReader, GivesStatusHeadersAndBody) {
  ResponseReader reader(100);
  feed(reader, kAnswer);
  const auto response = reader.next();
  ASSERT_TRUE(response && *response);
  EXPECT_EQ((*response)->status, 429);
  EXPECT_EQ((*response)->body, "hello");
  EXPECT_EQ((*response)->header("retry-after"), "7");
  EXPECT_EQ((*response)->header("Content-Length"), "5");
  EXPECT_EQ((*response)->header("absent"), "");
  EXPECT_TRUE((*response)->keep_alive);
  EXPECT_TRUE(reader.empty());
}

TEST(ResponseReader, WaitsForEveryByte) {
  ResponseReader reader(100);
  for (std::size_t i = 0; i + 1 < kAnswer.size(); ++i) {
    feed(reader, kAnswer.substr(i, 1));
    const auto response = reader.next();
    ASSERT_TRUE(response) << i;
    ASSERT_FALSE(*response) << i;
    EXPECT_FALSE(reader.empty());
  }
  feed(reader, kAnswer.substr(kAnswer.size() - 1));
  const auto response = reader.next();
  ASSERT_TRUE(response && *response);
  EXPECT_EQ((*response)->body, "hello");
}

TEST(ResponseReader, CutsTwoAnswersOfOneRead) {
  ResponseReader reader(100);
  feed(reader, std::string(kAnswer) + "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(*reader.next());
  const auto second = reader.next();
  ASSERT_TRUE(second && *second);
  EXPECT_EQ((*second)->status, 204);
  EXPECT_EQ((*second)->body, "");
  EXPECT_FALSE((*second)->keep_alive);
  EXPECT_FALSE(*reader.next());
}

TEST(ResponseReader, GrowsToABodyOverManyReads) {
  const std::string body(100'000, 'x');
  const std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body;
  ResponseReader reader(body.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto room = reader.space();
    const std::size_t size = std::min(room.size(), text.size() - at);
    std::memcpy(room.data(), text.data() + at, size);
    reader.filled(size);
    at += size;
    const auto response = reader.next();
    ASSERT_TRUE(response);
    ASSERT_EQ(response->has_value(), at == text.size());
    if (*response) {
      EXPECT_EQ((*response)->body, body);
    }
  }
}

TEST(ResponseReader, WipesWhatItPassedOn) {
  ResponseReader reader(100);
  feed(reader, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n4111111111111111");
  const auto* held = (*reader.next())->body.data();
  static_cast<void>(reader.space());
  EXPECT_NE(std::string_view(held, 16), "4111111111111111");
}

struct BadCase {
  const char* name;
  std::string text;
  Code code;
};
class ResponseReaderRefuses : public testing::TestWithParam<BadCase> {};

TEST_P(ResponseReaderRefuses, Malformed) {
  ResponseReader reader(100);
  feed(reader, GetParam().text);
  const auto response = reader.next();
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, ResponseReaderRefuses,
    testing::Values(
        BadCase{"Chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Code::kBadHttp},
        BadCase{"TwoLengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n",
                Code::kBadHttp},
        BadCase{"NoLength", "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n", Code::kBadHttp},
        BadCase{"EmptyLength", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", Code::kBadHttp},
        BadCase{"SignedLength", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", Code::kBadHttp},
        BadCase{"HugeLength", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
                Code::kBadHttp},
        BadCase{"OverLimit", "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n",
                Code::kPayloadTooLarge},
        BadCase{"OldVersion", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", Code::kBadHttp},
        BadCase{"Interim", "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n", Code::kBadHttp},
        BadCase{"BadStatus", "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n", Code::kBadHttp},
        BadCase{"NoColon", "HTTP/1.1 200 OK\r\nContent-Length\r\n\r\n", Code::kBadHttp}),
    [](const auto& one) { return one.param.name; });

TEST(ResponseReader, RefusesAnEndlessHead) {
  ResponseReader reader(100);
  base::Result<std::optional<Response>> response = std::nullopt;
  for (int i = 0; i < 100 && response; ++i) {
    feed(reader, std::string(1000, 'a'));
    response = reader.next();
  }
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kBadHttp);
}

}  // namespace
}  // namespace cardvault::client
