// The generator's own arithmetic: figures from a wrong histogram are worse than none.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "protocol/client/response_reader.h"
#include "tests/bench/histogram.h"
#include "tests/bench/workload.h"

namespace cardvault::bench {
namespace {

TEST(Histogram, QuantilesAreWithinTwoPercent) {
  Histogram histogram;
  for (int us = 1; us <= 100'000; ++us) histogram.record(std::int64_t{us} * 1000);
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    EXPECT_NEAR(histogram.quantile_us(share) / (share * 100'000), 1, 0.017) << share;
  }
  EXPECT_EQ(histogram.max_us(), 100'000);
  EXPECT_EQ(histogram.quantile_us(1), 100'000);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (int ns = 0; ns < 128; ++ns) histogram.record(ns);
  EXPECT_DOUBLE_EQ(histogram.quantile_us(0.5), 0.063);
  EXPECT_DOUBLE_EQ(histogram.quantile_us(1), 0.127);
}

TEST(Histogram, AddsAndTakesExtremes) {
  Histogram one;
  Histogram two;
  one.record(-5);
  two.record(std::int64_t{1} << 50);
  one.add(two);
  EXPECT_EQ(one.count(), 2U);
  EXPECT_GT(one.max_us(), 1e12);
  EXPECT_DOUBLE_EQ(Histogram().quantile_us(0.5), 0);
}

bool luhn(std::string_view digits) {
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const int value = (digits[digits.size() - 1 - i] - '0') * (i % 2 == 0 ? 1 : 2);
    sum += value / 10 + value % 10;
  }
  return sum % 10 == 0;
}

TEST(CardStream, CardsAreValidAndCustomersHoldFew) {
  CardStream stream(1);
  std::map<std::string, int> cards_of;
  std::set<std::string> pans;
  std::string pan(kPanDigits, ' ');
  std::string customer(kCustomerDigits, ' ');
  constexpr int kCards = 40'000;
  for (int i = 0; i < kCards; ++i) {
    stream.next(std::span(pan).first<kPanDigits>(), std::span(customer).first<kCustomerDigits>());
    ASSERT_TRUE(pan.starts_with("41111111"));
    ASSERT_TRUE(luhn(pan));
    ASSERT_EQ(customer.front(), '7');
    ASSERT_LE(++cards_of[customer], 4);
    pans.insert(pan);
  }
  EXPECT_GT(pans.size(), kCards * 99U / 100);
}

TEST(RequestTemplate, BatchesAreWellFormedAndPatched) {
  const auto endpoint = client::Endpoint::resolve("https://127.0.0.1:8443");
  ASSERT_TRUE(endpoint);
  auto request = RequestTemplate::detokenize(*endpoint, 2, "payment");
  TokenText first;
  TokenText second;
  first.fill('A');
  second.fill('B');
  const std::vector<TokenText> tokens{first, second};
  std::size_t next = 1;
  const auto text = std::string(base::as_text(request.with_tokens(tokens, next)));
  EXPECT_EQ(next, 1U);
  const std::string a(kTokenSize, 'A');
  const std::string b(kTokenSize, 'B');
  const std::string body = R"({"items":[{"token":")" + b + R"(","purpose":"payment"},{"token":")" +
                           a + R"(","purpose":"payment"}]})";
  EXPECT_TRUE(text.ends_with("Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body))
      << text;
}

TEST(Workload, FindsTokensAndProblems) {
  const std::string token = "tok_" + std::string(26, 'Z');
  const std::string body =
      R"({"items":[{"token":")" + token +
      R"(","last4":"1111"},{"error":{"code":"invalid_pan"}},{"error":{"code":"x"}}]})";
  std::vector<TokenText> tokens;
  collect_tokens(body, tokens);
  ASSERT_EQ(tokens.size(), 1U);
  EXPECT_EQ(std::string_view(tokens[0].data(), kTokenSize), token);
  EXPECT_EQ(find_problems(body).count, 2U);
  EXPECT_EQ(find_problems(body).first, "invalid_pan");
  EXPECT_EQ(find_problems(R"({"token":"x"})").count, 0U);
}

}  // namespace
}  // namespace cardvault::bench
