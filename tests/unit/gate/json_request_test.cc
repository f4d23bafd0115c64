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

template <class T>
T decoded(Operation operation, const std::string& body) {
  auto request = decode_body(operation, body);
  EXPECT_TRUE(request.has_value()) << body;
  return request ? std::get<T>(std::move(*request)) : T{};
}

TEST(DecodeBody, ReadsToWhomACardIsSealed) {
  const auto r = decoded<core::Detokenize>(
      Operation::kDetokenize,
      R"({"items":[{"token":"t","purpose":"p","recipient":"acquirer","context":)"
      R"({"amount":1000000000000000,"currency":"KZT","payee":"\u0410"}},)"
      R"({"token":"u","purpose":"p","mask":false,"recipient":"r"},{"token":"v","purpose":"p"}]})");
  ASSERT_EQ(r.items.size(), 3U);
  EXPECT_EQ(r.items[0].recipient, "acquirer");
  EXPECT_EQ(r.items[0].context, (core::PaymentContext{1'000'000'000'000'000U, "KZT", "\xd0\x90"}));
  EXPECT_EQ(r.items[1].recipient, "r");
  EXPECT_FALSE(r.items[1].context.has_value());
  EXPECT_EQ(r.items[2].recipient, "");
  const auto single = decoded<core::Detokenize>(
      Operation::kDetokenize, R"({"context":{"payee":"x","currency":"KZT","amount":1},)"
                              R"("recipient":"r","purpose":"p","token":"t"})");
  EXPECT_FALSE(single.batch);
  EXPECT_EQ(single.items.at(0).context, (core::PaymentContext{1, "KZT", "x"}));
}

TEST(DecodeBody, ReadsCodes) {
  const auto seal = decoded<core::OtpSeal>(
      Operation::kOtpSeal,
      R"({"subject":"+7701","purpose":"confirm_transaction","recipient":"sms","ttl":300,)"
      R"("digits":8,"clear":false,"context":{"amount":1,"currency":"KZT","payee":"x"}})");
  EXPECT_EQ(seal.subject.expose(), "+7701");
  EXPECT_EQ(seal.purpose, "confirm_transaction");
  EXPECT_EQ(seal.context, (core::PaymentContext{1, "KZT", "x"}));
  EXPECT_EQ(seal.recipient, "sms");
  EXPECT_FALSE(seal.clear);
  EXPECT_EQ(seal.ttl_s, 300U);
  EXPECT_EQ(seal.digits, 8U);
  EXPECT_TRUE(
      decoded<core::OtpSeal>(Operation::kOtpSeal, R"({"subject":"s","purpose":"p","clear":true})")
          .clear);
  const auto verify = decoded<core::OtpVerify>(
      Operation::kOtpVerify, R"({"subject":"s","purpose":"p","code":"0123456789"})");
  EXPECT_EQ(verify.subject.expose(), "s");
  EXPECT_EQ(verify.code.expose(), "0123456789");
  EXPECT_FALSE(verify.context.has_value());
  const auto cancel =
      decoded<core::OtpCancel>(Operation::kOtpCancel, R"({"subject":"s","purpose":"p"})");
  EXPECT_EQ(cancel.subject.expose(), "s");
  EXPECT_EQ(cancel.purpose, "p");
}

TEST(DecodeBody, ReadsSecrets) {
  const std::string longest(256, 'x');
  const auto enroll = decoded<core::SecretEnroll>(
      Operation::kSecretEnroll,
      R"({"subject":"s","kind":"password","secret":")" + longest + R"("})");
  EXPECT_EQ(enroll.subject.expose(), "s");
  EXPECT_EQ(enroll.kind, core::SecretKind::kPassword);
  EXPECT_EQ(enroll.secret.expose(), longest);
  const std::string quick = R"({"subject":"s","kind":"quick_code","secret":"0471"})";
  EXPECT_EQ(decoded<core::SecretVerify>(Operation::kSecretVerify, quick).kind,
            core::SecretKind::kQuickCode);
  EXPECT_EQ(decoded<core::SecretChange>(Operation::kSecretChange, quick).secret.expose(), "0471");
  EXPECT_EQ(decoded<core::SecretRemove>(Operation::kSecretRemove,
                                        R"({"subject":"s","kind":"quick_code"})")
                .kind,
            core::SecretKind::kQuickCode);
}

TEST(DecodeBody, PassesBadAmountsOnAsNone) {
  for (const char* amount :
       {"0", "-1", "1000000000000001", "9223372036854775807", "18446744073709551615"}) {
    const auto r = decoded<core::OtpSeal>(
        Operation::kOtpSeal,
        R"({"subject":"s","purpose":"p","recipient":"r","context":{"amount":)" +
            std::string(amount) + R"(,"currency":"","payee":""}})");
    EXPECT_EQ(r.context.value().amount, 0U) << amount;
  }
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
      {"items as text", kT, R"({"items":"x"})", kInvalidField},
      {"items as number", kD, R"({"items":1})", kInvalidField},
      {"items as flag", kD, R"({"items":true})", kInvalidField},
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

// Of codes, secrets and what is sealed.
std::vector<Refusal> more_refusals() {
  using enum Code;
  constexpr auto kD = Operation::kDetokenize;
  constexpr auto kS = Operation::kOtpSeal;
  constexpr auto kV = Operation::kOtpVerify;
  constexpr auto kE = Operation::kSecretEnroll;
  const auto sealed = [](const std::string& rest) {
    return R"({"token":"t","purpose":"p","recipient":"r")" + rest + "}";
  };
  const auto seal = [](const std::string& rest) {
    return R"({"subject":"s","purpose":"p","recipient":"r")" + rest + "}";
  };
  const auto amount = [&](const std::string& number) {
    return seal(R"(,"context":{"amount":)" + number + R"(,"currency":"KZT","payee":"x"})");
  };
  const auto code = [](const std::string& value) {
    return R"({"subject":"s","purpose":"p","code":)" + value + "}";
  };
  const auto enroll = [](const std::string& kind, const std::string& secret) {
    return R"({"subject":"s","kind":)" + kind + R"(,"secret":)" + secret + "}";
  };
  std::string many = R"({"items":[)";
  for (std::size_t i = 0; i <= 250; ++i) many += (i ? "," : "") + sealed("");
  return {
      {"masked and sealed", kD, sealed(R"(,"mask":true)"), kInvalidField},
      {"an empty recipient", kD, R"({"token":"t","purpose":"p","recipient":""})", kInvalidField},
      {"a context of no recipient", kD,
       R"({"token":"t","purpose":"p","context":{"amount":1,"currency":"KZT","payee":"x"}})",
       kInvalidField},
      {"too many sealed", kD, many + "]}", kBatchSize},
      {"context in a tokenize", Operation::kTokenize, R"({"pan":"1","context":{}})", kUnknownField},
      {"context as text", kD, sealed(R"(,"context":"x")"), kInvalidField},
      {"context as null", kD, sealed(R"(,"context":null)"), kInvalidField},
      {"context as list", kD, sealed(R"(,"context":[])"), kInvalidField},
      {"empty context", kD, sealed(R"(,"context":{})"), kMissingField},
      {"no payee", kS, seal(R"(,"context":{"amount":1,"currency":"KZT"})"), kMissingField},
      {"two contexts", kS,
       seal(R"(,"context":{"amount":1,"currency":"KZT","payee":"x"},"context":{"amount":2,)"
            R"("currency":"KZT","payee":"x"})"),
       kDuplicateField},
      {"two amounts", kS,
       seal(R"(,"context":{"amount":1,"amount":2,"currency":"KZT","payee":"x"})"), kDuplicateField},
      {"unknown in a context", kS,
       seal(R"(,"context":{"amount":1,"currency":"KZT","payee":"x","purpose":"p"})"),
       kUnknownField},
      {"a context in a context", kS, seal(R"(,"context":{"context":{}})"), kUnknownField},
      {"an amount outside its context", kS, seal(R"(,"amount":1)"), kUnknownField},
      {"an amount as text", kS, amount(R"("1")"), kInvalidField},
      {"an amount with a fraction", kS, amount("1.5"), kInvalidField},
      {"an amount with a zero fraction", kS, amount("1.0"), kInvalidField},
      {"an amount with an exponent", kS, amount("1e3"), kInvalidField},
      {"an amount with a capital exponent", kS, amount("1E3"), kInvalidField},
      {"an amount beyond all integers", kS, amount("99999999999999999999"), kInvalidField},
      {"an amount of an object", kS, amount("{}"), kInvalidField},
      {"an amount with a leading zero", kS, amount("01"), kInvalidJson},
      {"a currency as number", kS, seal(R"(,"context":{"currency":398})"), kInvalidField},
      {"sealed and clear", kS, seal(R"(,"clear":true)"), kInvalidField},
      {"neither sealed nor clear", kS, R"({"subject":"s","purpose":"p"})", kMissingField},
      {"clear false alone", kS, R"({"subject":"s","purpose":"p","clear":false})", kMissingField},
      {"clear as text", kS, R"({"subject":"s","purpose":"p","clear":"true"})", kInvalidField},
      {"five digits", kS, seal(R"(,"digits":5)"), kInvalidField},
      {"eleven digits", kS, seal(R"(,"digits":11)"), kInvalidField},
      {"digits of a fraction", kS, seal(R"(,"digits":6.0)"), kInvalidField},
      {"digits as text", kS, seal(R"(,"digits":"6")"), kInvalidField},
      {"a code in a seal", kS, seal(R"(,"code":"123456")"), kUnknownField},
      {"an empty subject", kS, R"({"subject":"","purpose":"p","recipient":"r"})", kInvalidField},
      {"a subject as number", kS, R"({"subject":7701,"purpose":"p","recipient":"r"})",
       kInvalidField},
      {"no subject", kS, R"({"purpose":"p","recipient":"r"})", kMissingField},
      {"items of a seal", kS, R"({"items":[]})", kUnknownField},
      {"no code", kV, R"({"subject":"s","purpose":"p"})", kMissingField},
      {"a code as number", kV, code("123456"), kInvalidField},
      {"a code of five", kV, code(R"("12345")"), kInvalidField},
      {"a code of eleven", kV, code(R"("12345678901")"), kInvalidField},
      {"a code with a sign", kV, code(R"("+12345")"), kInvalidField},
      {"a code with a space", kV, code(R"("123 456")"), kInvalidField},
      {"a code of letters", kV, code(R"("12345a")"), kInvalidField},
      {"a code of other digits", kV, code("\"\xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4\xd9\xa5\""),
       kInvalidField},
      {"a recipient of a verify", kV,
       R"({"subject":"s","purpose":"p","code":"123456","recipient":"r"})", kUnknownField},
      {"a code of a cancel", Operation::kOtpCancel,
       R"({"subject":"s","purpose":"p","code":"123456"})", kUnknownField},
      {"an unknown kind", kE, enroll(R"("Password")", R"("xxxxxxxx")"), kInvalidField},
      {"an empty secret", kE, enroll(R"("password")", R"("")"), kInvalidField},
      {"a secret too long", kE, enroll(R"("password")", '"' + std::string(257, 'x') + '"'),
       kInvalidField},
      {"a secret as number", kE, enroll(R"("quick_code")", "4711"), kInvalidField},
      {"no kind", kE, R"({"subject":"s","secret":"x"})", kMissingField},
      {"a secret of a remove", Operation::kSecretRemove, enroll(R"("password")", R"("x")"),
       kUnknownField},
      {"a purpose of a secret", kE,
       R"({"subject":"s","kind":"password","secret":"x","purpose":"p"})", kUnknownField},
      {"a PIN", kE, R"({"subject":"s","kind":"quick_code","pin":"4711"})",
       kSensitiveAuthenticationData},
      {"a CVV in a context", kS, seal(R"(,"context":{"cvv":"123"})"), kSensitiveAuthenticationData},
      {"a CVV beside a code", kV, R"({"code":"123456","cvc2":"123"})",
       kSensitiveAuthenticationData},
  };
}

TEST(DecodeBody, RefusesBadForm) {
  std::vector<Refusal> all = refusals();
  for (Refusal& more : more_refusals()) all.push_back(std::move(more));
  for (const Refusal& c : all) {
    const auto request = decode_body(c.operation, c.body);
    ASSERT_FALSE(request.has_value()) << c.name;
    EXPECT_EQ(base::code_name(request.error().code), base::code_name(c.code)) << c.name;
  }
}

TEST(DecodeBody, SurvivesMutations) {
  const std::string card =
      R"({"items":[{"pan":"4111111111111111","expiry":"2027-12","metadata":{"a":"b"},"ttl":60}]})";
  const std::string code =
      R"({"subject":"s","purpose":"p","recipient":"r","digits":6,"ttl":9,"clear":false,"code":"123456",)"
      R"("context":{"amount":1,"currency":"KZT","payee":"x"},"token":"t","kind":"password"})";
  std::mt19937_64 random(20261122);
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bad = round % 2 == 0 ? card : code;
    for (std::uint64_t i = 1 + random() % 3; i > 0; --i) {
      bad[random() % bad.size()] = R"({}[]":,\u0a1)"[random() % 13];
    }
    bad.resize(bad.size() - random() % 3);
    for (const auto operation :
         {Operation::kTokenize, Operation::kDetokenize, Operation::kCardsSearch,
          Operation::kOtpSeal, Operation::kOtpVerify, Operation::kSecretEnroll}) {
      refused += decode_body(operation, bad).has_value() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 100'000);
}

}  // namespace
}  // namespace cardvault::gate
