#include "protocol/gate/json_request.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

namespace cardvault::gate {
namespace {

using base::Code;

core::Tokenize tokenize(std::string_view body) {
  auto request = decode_body(Operation::kTokenize, body);
  EXPECT_TRUE(request.has_value()) << body;
  return request ? std::move(std::get<core::Tokenize>(*request)) : core::Tokenize{};
}

TEST(DecodeBody, ReadsEveryFieldOfATokenize) {
  const core::Tokenize r = tokenize(
      R"( {"pan":"4111111111111111","expiry":"2027-12","customer":"+7701","format":"numeric",
          "ttl":86400,"metadata":{"nick":"\u0440\"","b":""}} )");
  EXPECT_FALSE(r.batch);
  ASSERT_EQ(r.items.size(), 1U);
  const core::TokenizeItem& item = r.items[0];
  EXPECT_EQ(item.pan.expose(), "4111111111111111");
  EXPECT_EQ(item.expiry, "2027-12");
  EXPECT_EQ(item.customer.expose(), "+7701");
  EXPECT_EQ(item.format, core::TokenFormat::kNumeric);
  EXPECT_EQ(item.ttl_s, 86400U);
  EXPECT_EQ(item.metadata, (core::Metadata{{"nick", "\xd1\x80\""}, {"b", ""}}));
}

TEST(DecodeBody, ReadsEscapedDigits) {
  EXPECT_EQ(tokenize(R"({"p\u0061n":"4111\u0031111 1111-1111"})").items[0].pan.expose(),
            "41111111 1111-1111");
}

TEST(DecodeBody, ReadsABatchInOrder) {
  const core::Tokenize r = tokenize(R"({"items":[{"pan":"1"},{"pan":"2","ttl":1},{"pan":"3"}]})");
  EXPECT_TRUE(r.batch);
  ASSERT_EQ(r.items.size(), 3U);
  EXPECT_EQ(r.items[0].pan.expose(), "1");
  EXPECT_EQ(r.items[1].ttl_s, 1U);
  EXPECT_EQ(r.items[2].pan.expose(), "3");
}

TEST(DecodeBody, ReadsADetokenizeAndASearch) {
  auto request = decode_body(
      Operation::kDetokenize,
      R"({"items":[{"token":"t","purpose":"p","mask":true},{"token":"u","purpose":"q"}]})");
  ASSERT_TRUE(request.has_value());
  const auto& detokenize = std::get<core::Detokenize>(*request);
  ASSERT_EQ(detokenize.items.size(), 2U);
  EXPECT_TRUE(detokenize.items[0].mask);
  EXPECT_EQ(detokenize.items[1].token, "u");
  EXPECT_EQ(detokenize.items[1].purpose, "q");
  request = decode_body(Operation::kCardsSearch, R"({"customer":"c","after":"x"})");
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(std::get<core::CardsSearch>(*request).customer.expose(), "c");
  EXPECT_EQ(std::get<core::CardsSearch>(*request).after, "x");
}

TEST(DecodeBody, PassesBadValuesOnForTheVaultToRefuseInTheirItem) {
  constexpr auto kBad = std::numeric_limits<std::uint32_t>::max();
  for (const char* ttl : {"0", "-1", "315360001", "1.5", "1e3", "99999999999999999999"}) {
    EXPECT_EQ(tokenize(R"({"pan":"1","ttl":)" + std::string(ttl) + "}").items[0].ttl_s, kBad)
        << ttl;
  }
  const std::string long_text(5000, '4');
  EXPECT_EQ(tokenize(R"({"pan":")" + long_text + R"("})").items[0].pan.size(), 1024U);
  std::string many = R"({"pan":"1","metadata":{)";
  for (int i = 0; i < 100; ++i) many += (i ? ",\"k" : "\"k") + std::to_string(i) + "\":\"v\"";
  EXPECT_EQ(tokenize(many + "}}").items[0].metadata.size(), core::kMaxMetadataEntries + 1);
}

struct Refusal {
  const char* name;
  Operation operation;
  std::string body;
  Code code;
};

std::vector<Refusal> refusals() {
  using enum Code;
  constexpr auto kT = Operation::kTokenize;
  constexpr auto kD = Operation::kDetokenize;
  constexpr auto kS = Operation::kCardsSearch;
  std::string many = R"({"items":[)";
  for (std::size_t i = 0; i <= core::kMaxBatch; ++i)
    many += i ? R"(,{"pan":"1"})" : R"({"pan":"1"})";
  return {
      {"empty", kT, "", kInvalidJson},
      {"only spaces", kT, "  ", kInvalidJson},
      {"truncated", kT, R"({"pan":"4111)", kInvalidJson},
      {"trailing text", kT, R"({"pan":"1"} x)", kInvalidJson},
      {"two objects", kT, R"({"pan":"1"}{"pan":"2"})", kInvalidJson},
      {"an array", kT, R"([{"pan":"1"}])", kInvalidJson},
      {"a text", kT, R"("pan")", kInvalidJson},
      {"a number", kT, "4111111111111111", kInvalidJson},
      {"null", kT, "null", kInvalidJson},
      {"single quotes", kT, "{'pan':'1'}", kInvalidJson},
      {"a comment", kT, R"({"pan":"1"/**/})", kInvalidJson},
      {"a trailing comma", kT, R"({"pan":"1",})", kInvalidJson},
      {"a byte order mark", kT, "\xef\xbb\xbf{\"pan\":\"1\"}", kInvalidJson},
      {"NUL escaped", kT, R"({"pan":"41\u0000"})", kInvalidJson},
      {"NUL escaped in a key", kT, R"({"pan\u0000":"41"})", kInvalidJson},
      {"NUL raw", kT, std::string("{\"pan\":\"4\0\"}", 12), kInvalidJson},
      {"a raw control character", kT, "{\"pan\":\"4\n1\"}", kInvalidJson},
      {"broken UTF-8", kT, "{\"pan\":\"\xc3\x28\"}", kInvalidJson},
      {"overlong UTF-8", kT, "{\"pan\":\"\xc0\xaf\"}", kInvalidJson},
      {"a UTF-8 surrogate", kT, "{\"pan\":\"\xed\xa0\x80\"}", kInvalidJson},
      {"a lone surrogate", kT, R"({"pan":"\ud800"})", kInvalidJson},
      {"NaN", kT, R"({"pan":"1","ttl":NaN})", kInvalidJson},
      {"deep nesting", kT, std::string(100'000, '['), kInvalidJson},
      {"deep objects", kT, R"({"pan":{"a":{"b":{"c":{"d":{}}}}}})", kInvalidJson},
      {"unknown field", kT, R"({"pan":"1","number":"2"})", kUnknownField},
      {"unknown field in an item", kT, R"({"items":[{"pan":"1","x":1}]})", kUnknownField},
      {"another resource's field", kT, R"({"pan":"1","token":"t"})", kUnknownField},
      {"field in another case", kT, R"({"PAN":"1"})", kUnknownField},
      {"items inside items", kT, R"({"items":[{"pan":"1","items":[]}]})", kUnknownField},
      {"items of a search", kS, R"({"items":[]})", kUnknownField},
      {"a recipient", kD, R"({"token":"t","purpose":"p","recipient":"r"})", kUnknownField},
      {"duplicate field", kT, R"({"pan":"1","pan":"1"})", kDuplicateField},
      {"duplicate by escape", kT, R"({"pan":"1","p\u0061n":"2"})", kDuplicateField},
      {"duplicate metadata", kT, R"({"pan":"1","metadata":{"a":"1","a":"2"}})", kDuplicateField},
      {"duplicate items", kT, R"({"items":[{"pan":"1"}],"items":[{"pan":"2"}]})", kDuplicateField},
      {"no pan", kT, R"({"customer":"c"})", kMissingField},
      {"nothing", kT, "{}", kMissingField},
      {"no pan in an item", kT, R"({"items":[{"pan":"1"},{}]})", kMissingField},
      {"no purpose", kD, R"({"token":"t"})", kMissingField},
      {"no customer", kS, "{}", kMissingField},
      {"a pan as number", kT, R"({"pan":4111111111111111})", kInvalidField},
      {"a pan as null", kT, R"({"pan":null})", kInvalidField},
      {"a pan as list", kT, R"({"pan":["1"]})", kInvalidField},
      {"a pan as object", kT, R"({"pan":{}})", kInvalidField},
      {"a ttl as text", kT, R"({"pan":"1","ttl":"60"})", kInvalidField},
      {"a mask as text", kD, R"({"token":"t","purpose":"p","mask":"yes"})", kInvalidField},
      {"an unknown format", kT, R"({"pan":"1","format":"hex"})", kInvalidField},
      {"metadata as text", kT, R"({"pan":"1","metadata":"x"})", kInvalidField},
      {"metadata of a number", kT, R"({"pan":"1","metadata":{"a":1}})", kInvalidField},
      {"metadata of an object", kT, R"({"pan":"1","metadata":{"a":{}}})", kInvalidField},
      {"items as object", kT, R"({"items":{"pan":"1"}})", kInvalidField},
      {"items of texts", kT, R"({"items":["1"]})", kInvalidField},
      {"items and an item's field", kT, R"({"pan":"1","items":[{"pan":"2"}]})", kInvalidField},
      {"an item's field behind items", kT, R"({"items":[{"pan":"2"}],"pan":"1"})", kInvalidField},
      {"no items", kT, R"({"items":[]})", kBatchSize},
      {"too many items", kT, many + "]}", kBatchSize},
      {"a CVV", kT, R"({"pan":"1","cvv":"123"})", kSensitiveAuthenticationData},
      {"a CVV of null", kT, R"({"pan":"1","cvv":null})", kSensitiveAuthenticationData},
      {"a CVV in metadata", kT, R"({"pan":"1","metadata":{"cvc":"1"}})",
       kSensitiveAuthenticationData},
      {"a CVV in an item", kT, R"({"items":[{"pan":"1"},{"cid":1}]})",
       kSensitiveAuthenticationData},
      {"a CVV behind other problems", kT, R"({"x":[{"y":1}],"pan":2,"Cvv2":{"a":[]}})",
       kSensitiveAuthenticationData},
      {"a CVV before bad JSON", kT, R"({"cvv":"123",)", kSensitiveAuthenticationData},
      {"a CVV in a search", kS, R"({"customer":"c","pin":"1234"})", kSensitiveAuthenticationData},
      {"an empty customer", kT, R"({"pan":"1","customer":""})", kInvalidField},
      {"an empty expiry", kT, R"({"pan":"1","expiry":""})", kInvalidField},
      {"an escaped CVV", kT, R"({"pan":"1","c\u0076v":"123"})", kSensitiveAuthenticationData},
  };
}

TEST(DecodeBody, RefusesBadForm) {
  for (const Refusal& c : refusals()) {
    const auto request = decode_body(c.operation, c.body);
    ASSERT_FALSE(request.has_value()) << c.name;
    EXPECT_EQ(base::code_name(request.error().code), base::code_name(c.code)) << c.name;
  }
}

TEST(DecodeBody, KnowsTheUsualNamesOfSensitiveData) {
  for (const char* name : {"cvv",
                           "CVV",
                           "cvv2",
                           "cvc",
                           "cvc2",
                           "cid",
                           "cav2",
                           "cav",
                           "csc",
                           "cvn",
                           "cvn2",
                           "cvd",
                           "cve",
                           "security_code",
                           "securityCode",
                           "card_security_code",
                           "card-verification-value",
                           "cardVerificationValue",
                           "card_verification_code",
                           "pin",
                           "PIN_block",
                           "track1",
                           "track_2",
                           "track2Data",
                           "magstripe",
                           "magnetic_stripe",
                           "c_v_v",
                           "cvc1",
                           "cvv3",
                           "cvv_number",
                           "card_cvv2_code",
                           "card[cvv]"}) {
    const auto request =
        decode_body(Operation::kTokenize, R"({"pan":"1",")" + std::string(name) + R"(":"1"})");
    ASSERT_FALSE(request.has_value()) << name;
    EXPECT_EQ(request.error().code, Code::kSensitiveAuthenticationData) << name;
  }
}

TEST(DecodeBody, TakesNoOtherNamesForSensitiveData) {
  for (const char* name :
       {"city", "card", "number", "pinned", "tracking_number", "cards2", "cvvless"}) {
    const auto request = decode_body(
        Operation::kTokenize, R"({"pan":"1","metadata":{")" + std::string(name) + R"(":"1"}})");
    EXPECT_TRUE(request.has_value()) << name;
  }
}

TEST(DecodeBody, SurvivesMutations) {
  const std::string good =
      R"({"items":[{"pan":"4111111111111111","expiry":"2027-12","metadata":{"a":"b"},"ttl":60}]})";
  std::mt19937_64 random(20261122);
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bad = good;
    for (std::uint64_t i = 1 + random() % 3; i > 0; --i) {
      bad[random() % bad.size()] = R"({}[]":,\u0a1)"[random() % 13];
    }
    bad.resize(bad.size() - random() % 3);
    for (const auto operation :
         {Operation::kTokenize, Operation::kDetokenize, Operation::kCardsSearch}) {
      refused += decode_body(operation, bad).has_value() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 50'000);
}

}  // namespace
}  // namespace cardvault::gate
