// Which item of a batch a refusal names.
#include <gtest/gtest.h>

#include "protocol/gate/json_request.h"

namespace cardvault::gate {
namespace {

using base::Code;

struct Refusal {
  const char* name;
  Operation operation;
  std::string body;
  Code code;
};

TEST(DecodeBody, SaysWhichItemOfABatchIsToBlame) {
  using enum Code;
  constexpr auto kT = Operation::kTokenize;
  constexpr auto kD = Operation::kDetokenize;
  const std::string card = R"({"pan":"1","metadata":{"a":"b"}},)";
  const std::string token = R"({"token":"t","purpose":"p","recipient":"r",)"
                            R"("context":{"amount":1,"currency":"KZT","payee":"x"}},)";
  const auto batch = [](const std::string& items) { return R"({"items":[)" + items + "]}"; };
  std::string full = R"({"pan":"1"})";
  for (std::size_t i = 1; i < core::kMaxBatch; ++i) full += R"(,{"pan":"1"})";
  const struct {
    Refusal refusal;
    std::int32_t item;
  } all[] = {
      {{"a single card", kT, R"({"pan":1})", kInvalidField}, core::kNoItem},
      {{"the first", kT, batch(R"({"pan":1},{"pan":"1"})"), kInvalidField}, 0},
      {{"the last", kT, batch(card + card + R"({"pan":1})"), kInvalidField}, 2},
      {{"the first of two", kT, batch(card + R"({},{"x":1})"), kMissingField}, 1},
      {{"an unknown field", kT, batch(card + R"({"pan":"1","x":{"y":1}})"), kUnknownField}, 1},
      {{"a field twice", kT, batch(card + R"({"pan":"1","pan":"1"})"), kDuplicateField}, 1},
      {{"in metadata", kT, batch(card + R"({"pan":"1","metadata":{"a":1}})"), kInvalidField}, 1},
      {{"a token", kD, batch(token + R"({"token":"t"})"), kMissingField}, 1},
      {{"fields that contradict", kD,
        batch(token + token + R"({"token":"t","purpose":"p","recipient":"r","mask":true})"),
        kInvalidField},
       2},
      {{"in a context", kD,
        batch(token + R"({"token":"t","purpose":"p","recipient":"r","context":{"amount":1}})"),
        kMissingField},
       1},
      {{"a text for an item", kT, batch(card + R"("x")"), kInvalidField}, 1},
      {{"a number for an item", kT, batch(card + card + "1"), kInvalidField}, 2},
      {{"a flag for an item", kT, batch(card + "true"), kInvalidField}, 1},
      {{"null for an item", kT, batch(card + "null"), kInvalidField}, 1},
      {{"a list for an item", kT, batch(card + R"([{"pan":"1"}])"), kInvalidField}, 1},
      {{"a CVV behind what is no item", kT, batch(R"(1,"x",{"pan":"1","cvv":"1"})"),
        kSensitiveAuthenticationData},
       2},
      {{"two CVVs", kT, batch(card + R"({"cvv":"1"},{"cvv":"1"})"), kSensitiveAuthenticationData},
       1},
      {{"a NUL", kT, batch(card + R"({"pan":"\u0000"})"), kInvalidJson}, 1},
      {{"too deep", kT, batch(card + R"({"pan":{"a":{}}})"), kInvalidJson}, 1},
      {{"broken UTF-8", kT, batch(card + "{\"pan\":\"\xc3\x28\"}"), kInvalidJson}, 1},
      {{"cut off in an item", kT, R"({"items":[)" + card + R"({"pan":"1)", kInvalidJson}, 1},
      {{"broken between items", kT, batch(card + card + "}"), kInvalidJson}, core::kNoItem},
      {{"cut off behind the items", kT, R"({"items":[{"pan":"1"}])", kInvalidJson}, core::kNoItem},
      {{"beside the items", kT, R"({"items":[{"pan":"1"}],"pan":"1"})", kInvalidField},
       core::kNoItem},
      {{"nested too deep beside them", kT, R"({"items":[{"pan":"1"}],"pan":[[[[[)", kInvalidJson},
       core::kNoItem},
      {{"the second list", kT, R"({"items":[{"pan":"1"},{"pan":"1"}],"items":[{"cvv":"1"}]})",
        kSensitiveAuthenticationData},
       0},
      {{"none", kT, batch(""), kBatchSize}, core::kNoItem},
      {{"too many", kT, batch(full + R"(,{"pan":"1"})"), kBatchSize}, core::kNoItem},
      {{"one behind the last", kT, batch(full + R"(,{"cvv":"1"})"), kSensitiveAuthenticationData},
       core::kNoItem},
  };
  for (const auto& [refusal, item] : all) {
    const auto request = decode_body(refusal.operation, refusal.body);
    ASSERT_FALSE(request.has_value()) << refusal.name;
    EXPECT_EQ(base::code_name(request.error().code), base::code_name(refusal.code)) << refusal.name;
    EXPECT_EQ(request.error().item, item) << refusal.name;
  }
}

}  // namespace
}  // namespace cardvault::gate
