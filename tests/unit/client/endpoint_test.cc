#include "protocol/client/endpoint.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

namespace cardvault::client {
namespace {

TEST(Endpoint, ReadsBaseUrls) {
  const auto name = Endpoint::resolve("https://localhost:8443/");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->authority(), "localhost:8443");
  EXPECT_FALSE(name->literal);

  const auto v4 = Endpoint::resolve("https://127.0.0.1");
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->authority(), "127.0.0.1:443");
  EXPECT_TRUE(v4->literal);
  ASSERT_EQ(v4->addresses.size(), 1U);
  EXPECT_EQ(v4->addresses[0].bytes.ss_family, AF_INET);

  const auto v6 = Endpoint::resolve("https://[::1]:8443");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->authority(), "[::1]:8443");
  EXPECT_TRUE(v6->literal);

  const auto capital = Endpoint::resolve("HTTPS://127.0.0.1:8443");  // RFC 3986 section 3.1
  ASSERT_TRUE(capital);
  EXPECT_EQ(capital->authority(), "127.0.0.1:8443");
}

TEST(Endpoint, ReadsAZoneAndIsNotNamedByIt) {
  const auto local = Endpoint::resolve("https://[fe80::1%lo]:8443");
  ASSERT_TRUE(local);
  EXPECT_EQ(local->host, "fe80::1");
  EXPECT_EQ(local->authority(), "[fe80::1]:8443");
  sockaddr_in6 address{};
  std::memcpy(&address, &local->addresses.at(0).bytes, sizeof address);
  EXPECT_NE(address.sin6_scope_id, 0U);
}

class EndpointRefuses : public testing::TestWithParam<const char*> {};

TEST_P(EndpointRefuses, Url) {
  const auto endpoint = Endpoint::resolve(GetParam());
  ASSERT_FALSE(endpoint);
  EXPECT_EQ(endpoint.error().code, base::Code::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Forms, EndpointRefuses,
                         testing::Values("http://localhost", "localhost:8443", "https://",
                                         "https://localhost/v1", "https://user@localhost",
                                         "https://localhost:0", "https://localhost:65536",
                                         "https://localhost:84x", "https://[::1",
                                         "https://127.1:8443", "https://[::1]8443",
                                         "https://localhost:"));

}  // namespace
}  // namespace cardvault::client
