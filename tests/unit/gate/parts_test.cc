#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <set>
#include <string>

#include "protocol/gate/config.h"
#include "protocol/gate/metrics.h"
#include "protocol/gate/pending.h"
#include "protocol/gate/routes.h"
#include "protocol/gate/strangers.h"
#include "tests/fakes/own_path.h"

namespace cardvault::gate {
namespace {

using base::Code;
using testing::HasSubstr;

TEST(Routes, FindEveryResource) {
  struct Case {
    const char* method;
    const char* target;
    Operation operation;
    const char* token;
  };
  for (const Case& c : {Case{"POST", "/v1/tokenize", Operation::kTokenize, ""},
                        Case{"POST", "/v1/detokenize", Operation::kDetokenize, ""},
                        Case{"POST", "/v1/cards/search", Operation::kCardsSearch, ""},
                        Case{"GET", "/v1/tokens/tok_1", Operation::kTokenGet, "tok_1"},
                        Case{"DELETE", "/v1/tokens/tok_1", Operation::kTokenDelete, "tok_1"},
                        Case{"POST", "/v1/tokens/t/freeze", Operation::kTokenFreeze, "t"},
                        Case{"POST", "/v1/tokens/t/unfreeze", Operation::kTokenUnfreeze, "t"},
                        Case{"POST", "/v1/otp/seal", Operation::kOtpSeal, ""},
                        Case{"POST", "/v1/otp/verify", Operation::kOtpVerify, ""},
                        Case{"POST", "/v1/otp/cancel", Operation::kOtpCancel, ""},
                        Case{"POST", "/v1/secrets/enroll", Operation::kSecretEnroll, ""},
                        Case{"POST", "/v1/secrets/verify", Operation::kSecretVerify, ""},
                        Case{"POST", "/v1/secrets/change", Operation::kSecretChange, ""},
                        Case{"POST", "/v1/secrets/remove", Operation::kSecretRemove, ""},
                        Case{"GET", "/v1/whoami", Operation::kWhoami, ""},
                        Case{"GET", "/v1/jwks", Operation::kJwks, ""},
                        Case{"GET", "/v1/audit/checkpoint", Operation::kAuditRead, ""},
                        Case{"GET", "/v1/audit/tile/0/x001/234.p/17", Operation::kAuditRead, ""},
                        Case{"GET", "/metrics", Operation::kMetrics, ""},
                        Case{"GET", "/healthz", Operation::kHealth, ""}}) {
    Route route;
    ASSERT_TRUE(find_route(Listener::kTls, c.method, c.target, route)) << c.target;
    EXPECT_EQ(route.operation, c.operation) << c.target;
    EXPECT_EQ(route.token, c.token) << c.target;
  }
}

TEST(Routes, GiveTheFileOfTheLog) {
  Route route;
  ASSERT_TRUE(find_route(Listener::kTls, "GET", "/v1/audit/tile/entries/000", route));
  EXPECT_EQ(route.file, "tile/entries/000");
  EXPECT_FALSE(find_route(Listener::kTls, "GET", "/v1/audit/", route));
  EXPECT_FALSE(find_route(Listener::kTls, "GET", "/v1/audit", route));
  EXPECT_FALSE(find_route(Listener::kHealth, "GET", "/v1/audit/checkpoint", route));
  EXPECT_EQ(find_route(Listener::kTls, "POST", "/v1/audit/checkpoint", route).error().code,
            Code::kMethodNotAllowed);
}

TEST(Routes, EveryOperationHasALabelOfItsOwn) {
  std::set<std::string_view> labels;
  for (std::size_t i = 0; i < kOperations; ++i) {
    EXPECT_TRUE(labels.insert(operation_label(static_cast<Operation>(i))).second) << i;
  }
}

TEST(Routes, TellAWrongPathFromAWrongMethod) {
  Route route;
  for (const char* target :
       {"/", "/v1", "/v1/tokenize/", "/v1/tokenize?x=1", "/v1/tokens/", "/v1/tokens/t/thaw",
        "/v1/tokens//freeze", "/v1/tokens/t/freeze/", "/v1/%74okenize", "/V1/tokenize", "/readyz",
        "/v1/otp", "/v1/otp/seal/", "/v1/secrets/", "/v1/secrets/enroll/x"}) {
    EXPECT_EQ(find_route(Listener::kTls, "POST", target, route).error().code, Code::kPathNotFound)
        << target;
  }
  EXPECT_EQ(find_route(Listener::kTls, "PUT", "/v1/tokens/t", route).error().code,
            Code::kMethodNotAllowed);
  EXPECT_EQ(route.allow, "GET, DELETE");
  EXPECT_TRUE(find_route(Listener::kHealth, "GET", "/readyz", route));
  EXPECT_FALSE(find_route(Listener::kHealth, "POST", "/v1/tokenize", route));
}

TEST(Pending, GivesEachAnswerToTheOneWhoWaits) {
  Pending pending;
  int answered = 0;
  Pending::Done first = [&](const core::Answer&) { answered += 1; };
  Pending::Done second = [&](const core::Answer&) { answered += 10; };
  const auto a = pending.add(first, 5);
  const auto b = pending.add(second, 9);
  ASSERT_TRUE(a && b && *a != *b);
  pending.take (*b)(core::Done{});
  EXPECT_EQ(answered, 10);
  EXPECT_FALSE(pending.take(*b)) << "an id is good once";
  EXPECT_TRUE(pending.expired(4).empty());
  auto late = pending.expired(5);
  ASSERT_EQ(late.size(), 1U);
  late.front()(core::Done{});
  EXPECT_EQ(answered, 11);
  EXPECT_FALSE(pending.take(*a)) << "an answer that comes too late finds nobody";
}

TEST(Pending, IsBoundedAndNeverUsesAnIdTwice) {
  Pending pending;
  std::vector<std::uint64_t> ids;
  for (std::size_t i = 0; i < Pending::kMax; ++i) {
    Pending::Done done = [](const core::Answer&) {};
    const auto id = pending.add(done, 1);
    ASSERT_TRUE(id);
    ids.push_back(*id);
  }
  Pending::Done rest = [](const core::Answer&) {};
  EXPECT_FALSE(pending.add(rest, 1));
  EXPECT_TRUE(rest) << "left to the caller";
  EXPECT_EQ(pending.all().size(), Pending::kMax);
  const auto again = pending.add(rest, 1);
  ASSERT_TRUE(again);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), *again), 0);
  for (const std::uint64_t id : {std::uint64_t{0}, ~std::uint64_t{0}, ids.front()}) {
    EXPECT_FALSE(pending.take(id));
  }
}

TEST(Strangers, AreCountedPerSourceAndReasonAndBounded) {
  Strangers strangers;
  strangers.count("192.0.2.1", StrangerReason::kTlsHandshake);
  strangers.count("192.0.2.1", StrangerReason::kTlsHandshake);
  strangers.count("192.0.2.1", StrangerReason::kTlsRevoked);
  auto floods = strangers.take();
  ASSERT_EQ(floods.size(), 2U);
  EXPECT_EQ(floods[0].count, 2U);
  EXPECT_EQ(floods[0].reason, "tls_handshake");
  EXPECT_TRUE(strangers.take().empty());
  for (int i = 0; i < 5000; ++i) {
    strangers.count("10.0." + std::to_string(i), StrangerReason::kHandshakeTimeout);
  }
  floods = strangers.take();
  EXPECT_EQ(floods.size(), Strangers::kMaxEntries + 1);
  EXPECT_EQ(floods.front().source, "*");
  EXPECT_EQ(floods.front().count, 5000 - Strangers::kMaxEntries);
}

TEST(Metrics, AreWrittenInPrometheusText) {
  Metrics metrics;
  metrics.accepted();
  metrics.answered(Operation::kTokenGet, 404);
  metrics.refused(StrangerReason::kTlsRevoked);
  const std::string text = metrics.text("we\"b", 3, true);
  EXPECT_THAT(text, HasSubstr("cardvault_gate_connections{gate=\"we\\\"b\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("{gate=\"we\\\"b\",operation=\"token.get\",status=\"404\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("reason=\"tls_revoked\"} 1\n"));
}

class ConfigFile : public testing::Test {
 protected:
  // What loading a file of this text says; empty when it is taken.
  std::string problem(const std::string& text) {
    const std::string path = fakes::own_path("gate_config_test.toml");
    std::ofstream(path) << text;
    std::string said;
    try {
      config_ = load_config(path);
    } catch (const base::StartupError& error) {
      said = std::string(error.what()).substr(path.size());
    }
    std::remove(path.c_str());
    return said;
  }
  static constexpr const char* kGood =
      "[gate]\nname = \"web\"\ncertificate = \"c\"\nkey = \"k\"\nclient_ca = \"a\"\n"
      "vault_uid = 7\n";
  Config config_;
};

TEST_F(ConfigFile, IsReadWithItsDefaults) {
  EXPECT_EQ(problem(std::string(kGood) + "[limits]\nidle_timeout_s = 5\n"), "");
  EXPECT_EQ(config_.name, "web");
  EXPECT_EQ(config_.vault_uid, 7U);
  EXPECT_EQ(config_.crl, "");
  EXPECT_EQ(config_.limits.idle_timeout_s, 5U);
  EXPECT_EQ(config_.limits.max_body_bytes, 1U << 20);
}

TEST_F(ConfigFile, ProblemsNameKeyAndLine) {
  const std::string good = kGood;
  EXPECT_THAT(problem(good + "colour = 1\n"), HasSubstr(":7: [gate] unknown key `colour`"));
  EXPECT_THAT(problem(good + "[limits]\nmax_connections = 0\n"),
              HasSubstr(":8: [limits] max_connections must be a number from 1"));
  EXPECT_THAT(problem(good + "[limits]\nmax_body_bytes = 2000000\n"), HasSubstr("to 1048576"));
  EXPECT_THAT(problem(good + "[limits]\nmax_buffered_bytes = 1048576\n"),
              HasSubstr("from 4194304"));
  EXPECT_THAT(problem(good + "[other]\n"), HasSubstr("unknown key `other`"));
  EXPECT_THAT(problem("[gate]\nname = 1\n"), HasSubstr(":2: [gate] name must be a text"));
  EXPECT_THAT(problem("[gate]\nname = \"x\"\n"), HasSubstr("lacks the key `certificate`"));
  EXPECT_THAT(problem(""), HasSubstr("lacks the section [gate]"));
  EXPECT_THAT(problem("[gate\n"), HasSubstr(":1: "));
}

}  // namespace
}  // namespace cardvault::gate
