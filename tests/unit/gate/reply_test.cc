#include "protocol/gate/reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>
#include <string>

#include "protocol/gate/problem.h"

namespace cardvault::gate {
namespace {

using base::Code;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string text(const Reply& reply) { return std::string(base::as_text(reply.bytes())); }

std::string body(const Reply& reply) {
  const std::string whole = text(reply);
  return whole.substr(whole.find("\r\n\r\n") + 4);
}

core::CardView card() {
  core::CardView c;
  c.token = "tok_1";
  c.masked = "411111******1111";
  c.last4 = "1111";
  c.brand = "visa";
  c.country = "KZ";
  c.currency = "KZT";
  c.expiry = "2027-12";
  c.created_ms = 1795000000123;
  c.metadata = {{"quote\"", "line\n\\"}};
  return c;
}

core::TokenizeAnswer stored(core::TokenizeOutcome outcome) {
  core::TokenizeAnswer answer;
  answer.items.push_back(std::move(outcome));
  return answer;
}

TEST(Problem, EveryCodeHasOne) {
  std::set<std::string_view> titles;
  for (int i = 0; i <= static_cast<int>(base::kLastCode); ++i) {
    const auto code = static_cast<Code>(i);
    const Problem problem = problem_of(code);
    EXPECT_GE(problem.status, 400U) << base::code_name(code);
    EXPECT_LT(problem.status, 600U) << base::code_name(code);
    EXPECT_FALSE(problem.detail.empty()) << base::code_name(code);
    EXPECT_TRUE(titles.insert(problem.title).second) << base::code_name(code);
    if (problem.status != 500) {
      EXPECT_NE(reason_phrase(problem.status), "Internal Server Error") << problem.status;
    }
  }
}

TEST(Reply, EveryProblemIsWellFormed) {
  for (int i = 0; i <= static_cast<int>(base::kLastCode); ++i) {
    const auto code = static_cast<Code>(i);
    const Reply reply = make_reply(core::Failure{code, 7}, ReplyForm{});
    const auto value = boost::json::parse(body(reply));
    EXPECT_EQ(value.at("code").as_string(), base::code_name(code));
    EXPECT_EQ(value.at("status").as_int64(), problem_of(code).status);
    EXPECT_THAT(text(reply), HasSubstr("Content-Type: application/problem+json\r\n"));
    EXPECT_THAT(text(reply), HasSubstr("Retry-After: 7\r\n"));
    EXPECT_THAT(text(reply),
                HasSubstr("Content-Length: " + std::to_string(body(reply).size()) + "\r\n"));
  }
}

TEST(Reply, AlwaysSaysWhenToTryAgainAfter503And429) {
  EXPECT_THAT(text(make_reply(core::Failure{Code::kSealed, 0}, {})),
              HasSubstr("Retry-After: 1\r\n"));
  EXPECT_THAT(text(make_reply(core::Failure{Code::kRateLimited, 0}, {})),
              HasSubstr("Retry-After: 1\r\n"));
  EXPECT_THAT(text(make_reply(core::Failure{Code::kInvalidPan, 0}, {})),
              Not(HasSubstr("Retry-After")));
}

TEST(Reply, WritesAStoredCard) {
  const Reply reply = make_reply(stored(card()), {});
  EXPECT_THAT(text(reply), StartsWith("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"));
  EXPECT_EQ(body(reply),
            R"({"token":"tok_1","last4":"1111","brand":"visa","country":"KZ","currency":"KZT",)"
            R"("expiry":"2027-12","created_at":"2026-11-18T11:06:40.123Z","duplicate":false,)"
            R"("metadata":{"quote\"":"line\u000a\\"}})");
}

TEST(Reply, ASingleFailureIsAProblem) {
  const Reply reply = make_reply(stored(core::Failure{Code::kInvalidPan, 0}), {});
  EXPECT_EQ(reply.status(), 422U);
  EXPECT_EQ(boost::json::parse(body(reply)).at("code").as_string(), "invalid_pan");
}

TEST(Reply, ABatchHasAResultOrErrorPerItem) {
  core::DetokenizeAnswer answer;
  answer.batch = true;
  answer.items.emplace_back(core::Revealed{base::SecretText("4111111111111111"), "2027-12"});
  answer.items.emplace_back(core::Masked{"411111******1111", ""});
  answer.items.emplace_back(core::Failure{Code::kCardFrozen, 0});
  const Reply reply = make_reply(core::Answer(std::move(answer)), {});
  EXPECT_EQ(reply.status(), 200U);
  const auto items = boost::json::parse(body(reply)).at("items").as_array();
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[0].at("pan").as_string(), "4111111111111111");
  EXPECT_EQ(items[1].as_object().size(), 1U);  // no expiry
  EXPECT_EQ(items[2].at("error").at("code").as_string(), "card_frozen");
}

TEST(Reply, WritesASealedCardAloneAndInABatch) {
  core::DetokenizeAnswer answer;
  answer.items.emplace_back(core::SealedCard{"a.b.c.d.e"});
  EXPECT_EQ(body(make_reply(core::Answer(std::move(answer)), {})), R"({"sealed":"a.b.c.d.e"})");
  core::DetokenizeAnswer batch;
  batch.batch = true;
  batch.items.emplace_back(core::SealedCard{"a.b.c.d.e"});
  EXPECT_EQ(body(make_reply(core::Answer(std::move(batch)), {})),
            R"({"items":[{"sealed":"a.b.c.d.e"}]})");
}

TEST(Reply, WritesCodesSealedOrInTheClear) {
  core::OtpSealedAnswer answer{"0a1b", "a.b.c.d.e", {}, 1795000000123, 60};
  EXPECT_EQ(body(make_reply(core::Answer(std::move(answer)), {})),
            R"({"id":"0a1b","sealed":"a.b.c.d.e","expires_at":"2026-11-18T11:06:40.123Z",)"
            R"("resend_after":60})");
  core::OtpSealedAnswer clear{"0a1b", "", base::SecretText("012345"), 1795000000123, 0};
  EXPECT_EQ(body(make_reply(core::Answer(std::move(clear)), {})),
            R"({"id":"0a1b","code":"012345","expires_at":"2026-11-18T11:06:40.123Z",)"
            R"("resend_after":0})");
}

TEST(Reply, WritesReceiptsAndKeys) {
  EXPECT_EQ(body(make_reply(core::VerifiedAnswer{"a.b.c"}, {})),
            R"({"verified":true,"receipt":"a.b.c"})");
  const Reply keys = make_reply(core::JwksAnswer{R"({"keys":[]})"}, {});
  EXPECT_THAT(text(keys), HasSubstr("Content-Type: application/jwk-set+json\r\n"));
  EXPECT_EQ(body(keys), R"({"keys":[]})");
}

TEST(Reply, GivesFilesOfTheLogToBeKeptForEverButForTheCheckpoint) {
  const Reply checkpoint = make_reply(core::AuditPiece{6, "signed"}, {});
  EXPECT_THAT(text(checkpoint), HasSubstr("Content-Type: text/plain"));
  EXPECT_THAT(text(checkpoint), HasSubstr("Cache-Control: no-store\r\n"));
  EXPECT_EQ(body(checkpoint), "signed");
  const Reply begun = make_reply(core::AuditPiece{1000, "first"}, {.immutable = true, .allow = {}});
  EXPECT_THAT(text(begun), HasSubstr("Content-Type: application/octet-stream\r\n"));
  EXPECT_THAT(text(begun), HasSubstr("Content-Length: 1000\r\n"));
  EXPECT_THAT(text(begun), HasSubstr("immutable\r\n"));
  EXPECT_EQ(body(begun), "first");
  const Reply failed =
      make_reply(core::Failure{Code::kNotFound, 0}, {.immutable = true, .allow = {}});
  EXPECT_THAT(text(failed), HasSubstr("Cache-Control: no-store\r\n"));
}

TEST(Reply, SaysHowManyAttemptsAreLeft) {
  for (const std::int32_t left : {0, 2}) {
    const auto problem =
        boost::json::parse(body(make_reply(core::Failure{Code::kVerificationFailed, 0, left}, {})));
    EXPECT_EQ(problem.at("status").as_int64(), 403);
    EXPECT_EQ(problem.at("attempts_left").as_int64(), left);
  }
  const std::string locked = text(make_reply(core::Failure{Code::kLocked, 900}, {}));
  EXPECT_THAT(locked, StartsWith("HTTP/1.1 423 Locked\r\n"));
  EXPECT_THAT(locked, HasSubstr("Retry-After: 900\r\n"));
  EXPECT_THAT(locked, Not(HasSubstr("attempts_left")));
}

TEST(Reply, SaysWhichItemOfABatchIsToBlame) {
  const auto problem = boost::json::parse(
      body(make_reply(core::Failure{.code = Code::kInvalidField, .item = 0}, {})));
  EXPECT_EQ(problem.at("status").as_int64(), 400);
  EXPECT_EQ(problem.at("item").as_int64(), 0);
  EXPECT_THAT(text(make_reply(core::Failure{Code::kInvalidField}, {})), Not(HasSubstr("item\"")));
}

TEST(Reply, WritesListsAndCallers) {
  core::CardView frozen = card();
  frozen.status = core::CardStatus::kFrozen;
  frozen.expires_ms = 1795000000123;
  const auto list =
      boost::json::parse(body(make_reply(core::SearchAnswer{{card(), frozen}, "n"}, {})));
  EXPECT_EQ(list.at("next").as_string(), "n");
  EXPECT_EQ(list.at("cards").at(0).at("masked").as_string(), "411111******1111");
  EXPECT_EQ(list.at("cards").at(1).at("status").as_string(), "frozen");
  EXPECT_EQ(list.at("cards").at(1).at("expires_at").as_string(), "2026-11-18T11:06:40.123Z");
  const auto caller = boost::json::parse(body(make_reply(
      core::WhoamiAnswer{"web", {"tokenize"}, {"payment"}, {{"reveals_per_hour", 10, 9, 1}}}, {})));
  EXPECT_EQ(caller.at("quotas").at(0).at("left").as_int64(), 9);
}

TEST(Reply, DoneHasNoContent) {
  const std::string whole = text(make_reply(core::Done{}, {}));
  EXPECT_THAT(whole, StartsWith("HTTP/1.1 204 No Content\r\n"));
  EXPECT_THAT(whole, Not(HasSubstr("Content-Length")));
  EXPECT_TRUE(whole.ends_with("\r\n\r\n"));
}

TEST(Reply, SaysWhichMethodsAndThatItCloses) {
  const Reply reply = make_reply(core::Failure{Code::kMethodNotAllowed, 0},
                                 {.keep_alive = false, .head_only = true, .allow = "GET, DELETE"});
  EXPECT_THAT(text(reply), HasSubstr("Allow: GET, DELETE\r\n"));
  EXPECT_THAT(text(reply), HasSubstr("Connection: close\r\n"));
  EXPECT_EQ(body(reply), "");
}

TEST(Reply, NotReadyIs503) {
  EXPECT_EQ(make_reply(core::ReadyAnswer{false, "sealed", {}}, {}).status(), 503U);
  EXPECT_EQ(make_reply(core::ReadyAnswer{true, "ready", {"n"}}, {}).status(), 200U);
}

}  // namespace
}  // namespace cardvault::gate
