// The categories of the public JSON conformance suites (RFC 8259; y: must be taken, n: must be
// refused, i: up to the reader), each document at every place where a body can hold a value.
#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "protocol/gate/json_request.h"

namespace cardvault::gate {
namespace {

using base::Code;
using namespace std::string_literals;

std::string as_ttl(const std::string& value) { return R"({"pan":"4","ttl":)" + value + "}"; }
std::string as_note(const std::string& value) {
  return R"({"pan":"4","metadata":{"k":)" + value + "}}";
}
std::string as_items(const std::string& value) { return R"({"items":)" + value + "}"; }

// The code of a refusal; nothing when the body is taken.
std::optional<Code> refusal(const std::string& body) {
  const auto request = decode_body(Operation::kTokenize, body);
  if (request) return std::nullopt;
  return request.error().code;
}

// Repeats with a body that ends exactly at the end of its memory, for the sanitizers.
std::optional<Code> refusal_of_exact(const std::string& body) {
  const std::vector<char> exact(body.begin(), body.end());
  const auto request = decode_body(Operation::kTokenize, {exact.data(), exact.size()});
  if (request) return std::nullopt;
  return request.error().code;
}

TEST(JsonConformance, TakesEveryNumber) {
  for (const char* number : {"0", "-0", "123", "-1", "0.5", "1e1", "1E1", "1e+1", "1E-2", "0e1",
                             "0e+1", "20e1", "123.456e78", "-123123", "1.7976931348623157e308",
                             "-0.000000000000000000000000000000000000000000000000000000000001",
                             "100000000000000000000", "123.456789"}) {
    EXPECT_EQ(refusal(as_ttl(number)), std::nullopt) << number;
    EXPECT_EQ(refusal(as_ttl(" \t\r\n"s + number + "\n ")), std::nullopt) << number;
  }
}

TEST(JsonConformance, RefusesWhatIsNoNumber) {
  for (const char* number :
       {"-",        "+1",        "++1",   "-01",   "01",    "-012",         "1.",   "-1.",
        ".5",       "-.5",       "1.e1",  "0.e1",  "2.e+3", "0e",           "0E+",  "1eE2",
        "0.3e",     "0.3e+",     "1e+",   "-1e",   "9.e+",  "1+2",          "1-2",  "0x1",
        "0x42",     "0X1F",      "Inf",   "-Inf",  "+Inf",  "NaN",          "-NaN", "nan",
        "Infinity", "-Infinity", "1_000", "1 000", "1,0",   "- 1",          "-foo", "1a",
        "1ea",      "0.1.2",     "1.1.1", "1e1e1", "1e1.5", "\xef\xbc\x91", "--2",  "-+2"}) {
    EXPECT_EQ(refusal_of_exact(as_ttl(number)), Code::kInvalidJson) << number;
  }
}

TEST(JsonConformance, TakesEveryString) {
  for (const char* text : {R"("")",
                           R"("a")",
                           R"("\"\\\/\b\f\n\r\t")",
                           R"("\u0060\u012a\u12AB")",
                           R"("\uD801\udc37")",
                           R"("\ud83d\ude39\ud83d\udc8d")",
                           R"("\\u0000")",
                           R"("\\a")",
                           R"("\"")",
                           R"("a/*b*/c/*d//e")",
                           R"("\uFFFF")",
                           R"("\u2028\u2029")",
                           R"("\uDBFF\uDFFE")",
                           R"("\u0012")",
                           R"("\uA66D")",
                           R"("new\u000Aline")",
                           R"("\u0022")",
                           R"(" ")",
                           "\"\x7f\"",
                           "\"\xe2\x82\xac\xf0\x9d\x84\x9e\"",
                           "\"\xf4\x8f\xbf\xbf\"",
                           "\"\xe2\x80\xa8\"",
                           "\"\xef\xbf\xbf\"",
                           "\"\xcf\x80\""}) {
    EXPECT_EQ(refusal(as_note(text)), std::nullopt) << text;
  }
}

TEST(JsonConformance, RefusesWhatIsNoString) {
  for (const std::string& text :
       {R"("\x00")"s, R"("\a")"s, R"("\)"s, R"("\")"s, R"("\\\")"s, R"("\u")"s, R"("\u00A")"s,
        R"("\u00")"s, R"("\uqqqq")"s, R"("\uD834\uDd")"s, R"("\uD800\")"s, R"("\uD800\u")"s,
        R"("\uD800\u1")"s, R"("\uD800\u1x")"s, R"("\u{110000}")"s, R"("\U0041")"s, R"("\ )"s,
        "'single'"s, R"(unquoted)"s, R"(a")"s, R"("a)"s, R"(")"s, R"("a"b")"s, R"("a""b")"s,
        "\"line\nend\""s, "\"tab\t\""s, "\"nul\0\""s, "\"\x1f\""s, "\"\\\t\""s, "\"\\\0\""s,
        // bytes that are no UTF-8
        "\"\xff\""s, "\"\xe9\""s, "\"\x81\""s, "\"\xc0\xaf\""s, "\"\xe0\xff\""s,
        "\"\xfc\x80\x80\x80\x80\x80\""s, "\"\xf4\xbf\xbf\xbf\""s, "\"\xed\xa0\x80\""s,
        "\"\xe6\x97\xa5\xd1\x88\xfa\""s, "\"\\\xe5\""s, "\"\\u\xe5\""s}) {
    EXPECT_EQ(refusal_of_exact(as_note(text)), Code::kInvalidJson) << text;
  }
}

TEST(JsonConformance, RefusesWhatIsNoList) {
  const std::string item = R"({"pan":"4"})";
  EXPECT_EQ(refusal(as_items("[" + item + "," + item + "]")), std::nullopt);
  EXPECT_EQ(refusal(as_items(" [ " + item + "\n,\t" + item + " ] ")), std::nullopt);
  for (const std::string& list :
       {"[" + item + ",]", "[" + item + ",,]", "[" + item + "", "[" + item + ",", "[," + item + "]",
        "[" + item + " " + item + "]", "[" + item + ":" + item + "]", "[" + item + "]]",
        "[" + item + "}", "[" + item + "],", "[" + item + ";" + item + "]"}) {
    EXPECT_EQ(refusal_of_exact(as_items(list)), Code::kInvalidJson) << list;
  }
  // Here an element of a wrong kind is found first; refused all the same.
  for (const char* list :
       {"[1 true]",     "[a]",     "[*]",     "[-]",   "[\"a\"",  "[1,",      "[1,\n1\n,1",
        "[\"\va\"\\f]", "[\"\", ", "[\"\",]", "[x",    "[3[4]]",  "[\"x\"]]", "[,1]",
        "[1,,2]",       "[nul]",   "[fals]",  "[tru]", "[nulll]", "[True]"}) {
    EXPECT_NE(refusal_of_exact(as_items(list)), std::nullopt) << list;
  }
}

TEST(JsonConformance, RefusesWhatIsNoObject) {
  for (const char* body :
       {R"({"pan":"4"})", " {\"pan\" : \"4\"\t}\r\n", R"({"pan":"4","metadata":{"":""}})",
        R"({"pan":"4","metadata":{"\u0066oo":"a"}})", R"({"pan":"4","metadata":{}})"}) {
    EXPECT_EQ(refusal(body), std::nullopt) << body;
  }
  for (const std::string& body : {R"({"pan":"4",})"s,
                                  R"({"pan":"4",,"ttl":1})"s,
                                  R"({"pan":"4","ttl"})"s,
                                  R"({"pan":"4","ttl":})"s,
                                  R"({"pan":"4","ttl"::1})"s,
                                  R"({"pan" "4"})"s,
                                  R"({"pan","4"})"s,
                                  R"({pan:"4"})"s,
                                  R"({'pan':"4"})"s,
                                  R"({"pan":"4")"s,
                                  R"({"pan":"4"]})"s,
                                  R"({"pan":"4"}#)"s,
                                  R"({"pan":"4"}/**/)"s,
                                  R"({"pan":"4"}//)"s,
                                  R"({/**/"pan":"4"})"s,
                                  R"({"pan":"4"}})"s,
                                  R"({"pan":"4"}{})"s,
                                  R"({"pan":"4"}")"s,
                                  R"({"pan":"4"};)"s,
                                  R"({"pan":"4" "ttl":1})"s,
                                  R"({1:1})"s,
                                  R"({null:1})"s,
                                  R"({[:"x"})"s,
                                  "{\"pan\":\"4\"}\0"s,
                                  "{\"pan\":\"4\"}\xff"s,
                                  "{\xef\xbc\x9f}"s,
                                  "{"s,
                                  "}"s,
                                  "{}}"s,
                                  "{\""s,
                                  "{\"pan\""s,
                                  "{\"pan\":"s,
                                  "{\"pan\":\"4"s,
                                  "{\"p\xb9n\":\"4\"}"s}) {
    EXPECT_NE(refusal_of_exact(body), std::nullopt) << body;
  }
}

TEST(JsonConformance, RefusesEverythingAroundOneObject) {
  for (const std::string& body : {""s,
                                  " "s,
                                  "\n"s,
                                  "\0"s,
                                  "1"s,
                                  "-1.5e3"s,
                                  "true"s,
                                  "null"s,
                                  "\"a\""s,
                                  "[]"s,
                                  "[{\"pan\":\"4\"}]"s,
                                  "<null>"s,
                                  "abc"s,
                                  "'"s,
                                  "{\"pan\":\"4\"} x"s,
                                  "\xef\xbb\xbf{\"pan\":\"4\"}"s,
                                  "\xef\xbb\xbf"s,
                                  "\xef\xbb{}"s,
                                  "\xff\xfe{\0}\0"s,
                                  "\xfe\xff\0{\0}"s,
                                  "\xc2\xa0{\"pan\":\"4\"}"s,
                                  "\xe2\x81\xa0{\"pan\":\"4\"}"s,
                                  "\f{\"pan\":\"4\"}"s,
                                  "\v{\"pan\":\"4\"}"s,
                                  "{\"pan\":\"4\"}\f"s,
                                  "]"s,
                                  "*"s,
                                  "\\u007b\\u007d"s,
                                  "_"s,
                                  "\xc3\xa5"s,
                                  std::string(100'000, '['),
                                  std::string(100'000, '{')}) {
    EXPECT_EQ(refusal_of_exact(body), Code::kInvalidJson) << body.substr(0, 20);
  }
}

TEST(JsonConformance, RefusesMisspelledLiterals) {
  for (const char* word :
       {"nul", "tru", "fals", "nulll", "True", "NULL", "truefalse", "undefined"}) {
    EXPECT_NE(refusal_of_exact(as_note(word)), std::nullopt) << word;
    EXPECT_NE(refusal_of_exact(as_ttl(word)), std::nullopt) << word;
  }
}

// What the suites leave to the reader.
TEST(JsonConformance, IsStrictWhereTheStandardLeavesItOpen) {
  for (const char* text : {R"("\uD800")", R"("\uDc00")", R"("\uD800\uD800")", R"("\uD800\n")",
                           R"("\uD800abc")", R"("\uDd1e\uD834")", R"("\uD888\u1234")"}) {
    EXPECT_EQ(refusal(as_note(text)), Code::kInvalidJson) << text;  // lone surrogates
  }
  EXPECT_EQ(refusal(R"({"pan":"4","pan":"4"})"), Code::kDuplicateField);
  EXPECT_EQ(refusal(R"({"pan":"4","metadata":{"a":"1","a":"1"}})"), Code::kDuplicateField);
  EXPECT_EQ(refusal(as_note(R"("\u0000")")), Code::kInvalidJson);  // nothing here may hold a NUL
  EXPECT_EQ(refusal(R"({"a":{"a":{"a":{"a":{}}}}})"), Code::kInvalidJson);
}

// A number beyond any type is a bad value, which the vault refuses in its item, or no JSON.
TEST(JsonConformance, NumbersBeyondAnyTypeAreNeverTakenForOthers) {
  for (const std::string& number :
       {"1e400"s, "-1e400"s, "0.4e006699999999999999999999999999999999999999999999999999999"s,
        "123123e100000"s, "-123123e100000"s, "123e-10000000"s, "18446744073709551616"s,
        "-9223372036854775809"s, "1" + std::string(400, '0')}) {
    const auto request = decode_body(Operation::kTokenize, as_ttl(number));
    if (request) {
      const auto& item = std::get<core::Tokenize>(*request).items[0];
      EXPECT_EQ(item.ttl_s, std::numeric_limits<std::uint32_t>::max()) << number;
    } else {
      EXPECT_EQ(request.error().code, Code::kInvalidJson) << number;
    }
  }
}

}  // namespace
}  // namespace cardvault::gate
