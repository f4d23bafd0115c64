#include "protocol/client/client.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <csignal>
#include <latch>

#include "tests/unit/client/tls_peer.h"

namespace cardvault::client {
namespace {

using base::Code;
using namespace std::chrono_literals;

std::string ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

class ClientTest : public testing::Test {
 protected:
  ClientTest() { std::signal(SIGPIPE, SIG_IGN); }
  // What `credentials` get from `peer` for one GET.
  static base::Result<std::string> get(const TlsPeer& peer, const Credentials& credentials,
                                       const std::string& host = "localhost",
                                       std::chrono::milliseconds timeout = 60s) {
    const auto tls = TlsContext::load(credentials);
    if (!tls) return std::unexpected(tls.error());
    const auto endpoint = Endpoint::resolve(peer.url(host));
    if (!endpoint) return std::unexpected(endpoint.error());
    Client client(*tls, *endpoint, timeout);
    const auto response = client.request({.path = "/v1/whoami"});
    if (!response) return std::unexpected(response.error());
    return std::string(response->body);
  }
  static void finish(const Connection& connection,
                     const std::function<base::Result<Wait>()>& step) {
    for (;;) {
      const auto state = step();
      ASSERT_TRUE(state) << state.error().operation;
      if (*state == Wait::kNothing) return;
      pollfd ready{connection.fd(),
                   static_cast<short>(*state == Wait::kReadable ? POLLIN : POLLOUT), 0};
      ASSERT_EQ(::poll(&ready, 1, 60'000), 1);
    }
  }
  TestPki pki_{"DNS:localhost,IP:127.0.0.1"};
};

// As "localhost" is ::1 first on many machines, and a gate listens on 127.0.0.1 alone.
TEST_F(ClientTest, GoesOnToTheNextAddressOfAName) {
  TlsPeer peer(pki_, 1, [](const std::string&) { return ok("here"); });
  const auto tls = TlsContext::load(pki_.client());
  auto endpoint = Endpoint::resolve(peer.url("localhost"));
  const auto deaf = Endpoint::resolve(peer.url("127.0.0.2"));
  const auto good = Endpoint::resolve(peer.url("127.0.0.1"));
  ASSERT_TRUE(tls && endpoint && deaf && good);
  endpoint->addresses = {deaf->addresses[0], deaf->addresses[0], good->addresses[0]};
  Client client(*tls, *endpoint, 60s);
  for (int i = 0; i < 2; ++i) {
    const auto response = client.request({.path = "/v1/whoami"});
    ASSERT_TRUE(response) << response.error().operation;
    EXPECT_EQ(response->body, "here");
  }

  endpoint->addresses.pop_back();
  Client alone(*tls, *endpoint, 60s);
  const auto none = alone.request({.path = "/v1/whoami"});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kVaultUnavailable);
}

TEST_F(ClientTest, SendsRequestsOnOneConnection) {
  std::vector<std::string> seen;
  TlsPeer peer(pki_, 1, [&](const std::string& request) {
    seen.push_back(request);
    return ok("answer " + std::to_string(seen.size()));
  });
  const auto tls = TlsContext::load(pki_.client());
  const auto endpoint = Endpoint::resolve(peer.url("localhost"));
  ASSERT_TRUE(tls && endpoint);
  Client client(*tls, *endpoint, 60s);
  const auto first = client.request({.method = "POST",
                                     .path = "/v1/tokenize",
                                     .body = R"({"pan":"4111111111111111"})",
                                     .idempotency_key = "k1"});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->body, "answer 1");
  const auto second = client.request({.path = "/v1/whoami"});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->body, "answer 2");
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0], "POST /v1/tokenize HTTP/1.1\r\nHost: " + endpoint->authority() +
                         "\r\nIdempotency-Key: k1\r\nContent-Type: application/json\r\n"
                         "Content-Length: 26\r\n\r\n{\"pan\":\"4111111111111111\"}");
  EXPECT_EQ(seen[1], "GET /v1/whoami HTTP/1.1\r\nHost: " + endpoint->authority() + "\r\n\r\n");
}

TEST_F(ClientTest, ReopensWhatTheGateHasClosed) {
  int answered = 0;
  TlsPeer peer(pki_, 2, [&](const std::string&) {
    ++answered;
    return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n" +
           std::to_string(answered);
  });
  const auto tls = TlsContext::load(pki_.client());
  const auto endpoint = Endpoint::resolve(peer.url("localhost"));
  ASSERT_TRUE(tls && endpoint);
  Client client(*tls, *endpoint, 60s);
  EXPECT_EQ(client.request({.path = "/a"})->body, "1");
  EXPECT_EQ(client.request({.path = "/b"})->body, "2");
}

TEST_F(ClientTest, AcceptsTheAddressInTheCertificate) {
  TlsPeer peer(pki_, 1, [](const std::string&) { return ok("x"); });
  EXPECT_EQ(get(peer, pki_.client(), "127.0.0.1").value_or("error"), "x");
}

TEST_F(ClientTest, RefusesAnotherHostsCertificate) {
  const TestPki other("DNS:elsewhere.example");
  TlsPeer peer(other, 1, [](const std::string&) { return ok("x"); });
  const auto by_name = get(peer, other.client());
  ASSERT_FALSE(by_name);
  EXPECT_EQ(by_name.error().code, Code::kNotAllowed);
}

TEST_F(ClientTest, RefusesAnotherCa) {
  const TestPki other("DNS:localhost");
  TlsPeer peer(other, 1, [](const std::string&) { return ok("x"); });
  const auto answer = get(peer, pki_.client());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kNotAllowed);
}

TEST_F(ClientTest, SaysThatItsOwnCertificateWasRefused) {
  TlsPeer peer(pki_, 1, [](const std::string&) { return ok("x"); });
  const TestPki other("DNS:localhost");
  auto mixed = other.client();
  mixed.ca_file = pki_.client().ca_file;
  const auto answer = get(peer, mixed);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kClientUnknown);
}

TEST_F(ClientTest, SaysSoTooWhenThePeerHasHungUpBeforeTheRequest) {
  TlsPeer peer(pki_, 1, [](const std::string&) { return ok("x"); });
  const TestPki other("DNS:localhost");
  auto mixed = other.client();
  mixed.ca_file = pki_.client().ca_file;
  const auto tls = TlsContext::load(mixed);
  const auto endpoint = Endpoint::resolve(peer.url("localhost"));
  ASSERT_TRUE(tls && endpoint);
  auto connection = Connection::open(*tls, *endpoint);
  ASSERT_TRUE(connection);
  finish(*connection, [&] { return connection->establish(); });
  pollfd hung_up{connection->fd(), 0, 0};
  ASSERT_EQ(::poll(&hung_up, 1, 60'000), 1);
  const auto sent = connection->send(base::as_bytes("GET / HTTP/1.1\r\n\r\n"));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, Code::kClientUnknown);
}

TEST_F(ClientTest, TimesOut) {
  std::latch over(1);
  TlsPeer peer(pki_, 1, [&](const std::string&) {
    over.wait();
    return std::string();
  });
  const auto answer = get(peer, pki_.client(), "localhost", 100ms);
  over.count_down();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kRequestTimeout);
}

TEST_F(ClientTest, ClosesInOrder) {
  TlsPeer peer(pki_, 1, [](const std::string&) { return ok("x"); });
  const auto tls = TlsContext::load(pki_.client());
  const auto endpoint = Endpoint::resolve(peer.url("localhost"));
  ASSERT_TRUE(tls && endpoint);
  auto connection = Connection::open(*tls, *endpoint);
  ASSERT_TRUE(connection);
  finish(*connection, [&] { return connection->establish(); });
  finish(*connection, [&] { return connection->close(); });
}

TEST_F(ClientTest, NamesTheFileThatDoesNotLoad) {
  auto credentials = pki_.client();
  credentials.key_file = pki_.file("server.key");
  auto tls = TlsContext::load(credentials);
  ASSERT_FALSE(tls);
  EXPECT_EQ(tls.error().code, Code::kConflict);  // of another certificate
  EXPECT_STREQ(tls.error().operation, kLoadKey);
  credentials.key_file = credentials.cert_file;
  tls = TlsContext::load(credentials);
  ASSERT_FALSE(tls);
  EXPECT_EQ(tls.error().code, Code::kInvalidArgument);
  EXPECT_STREQ(tls.error().operation, kLoadKey);
}

}  // namespace
}  // namespace cardvault::client
