#include "vault/core/token.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <random>
#include <set>

#include "vault/core/pan.h"

namespace cardvault::core {
namespace {

using Random = std::array<std::uint8_t, Token::kRandomBytes>;

constexpr std::int64_t kNow = 1'795'329'000'123;

Random filled(std::uint8_t byte) {
  Random random;
  random.fill(byte);
  return random;
}

Random drawn(std::mt19937_64& source) {
  Random random;
  for (std::uint8_t& byte : random) byte = static_cast<std::uint8_t>(source());
  return random;
}

TEST(TokenOpaque, IsTheUlidOfTimeAndRandomBits) {
  // The example of the ULID specification: 01ARZ3NDEKTSV4RRFFQ69G5FAV.
  Random random{};
  constexpr std::array<std::uint8_t, 10> kTail = {0xd6, 0x76, 0x4c, 0x61, 0xef,
                                                  0xb9, 0x93, 0x02, 0xbd, 0x5b};
  std::ranges::copy(kTail, random.begin());
  const Token token = Token::make(TokenFormat::kOpaque, 1'469'922'850'259, "", random);
  EXPECT_EQ(token.text(), "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV");
  EXPECT_EQ(token.format(), TokenFormat::kOpaque);
  EXPECT_EQ(token.number(), 0);
}

TEST(TokenOpaque, SortsByTime) {
  const Token early = Token::make(TokenFormat::kOpaque, kNow, "", filled(0xff));
  const Token late = Token::make(TokenFormat::kOpaque, kNow + 1, "", filled(0));
  EXPECT_LT(early.id(), late.id());
  EXPECT_LT(early.text(), late.text());
}

TEST(TokenParse, AcceptsEitherCaseOfOneSpelling) {
  const auto upper = Token::parse("tok_01ARZ3NDEKTSV4RRFFQ69G5FAV");
  const auto lower = Token::parse("tok_01arz3ndektsv4rrffq69g5fav");
  ASSERT_TRUE(upper && lower && Token::parse("TOK_01ARZ3NDEKTSV4RRFFQ69G5FAV"));
  EXPECT_EQ(upper->id(), lower->id());
  EXPECT_EQ(lower->text(), "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV");
}

TEST(TokenParse, RefusesEverythingElse) {
  for (const std::string_view text :
       {"", "tok_", "tok_01ARZ3NDEKTSV4RRFFQ69G5FA", "tok_01ARZ3NDEKTSV4RRFFQ69G5FAVV",
        "tok_81ARZ3NDEKTSV4RRFFQ69G5FAV" /* 129 bits */, "tok_01ARZ3NDEKTSV4RRFFQ69G5FAI",
        "tok_01ARZ3NDEKTSV4RRFFQ69G5FAL", "tok_01ARZ3NDEKTSV4RRFFQ69G5FAO",
        "tok_01ARZ3NDEKTSV4RRFFQ69G5FAU", "tok-01ARZ3NDEKTSV4RRFFQ69G5FAV",
        " tok_01ARZ3NDEKTSV4RRFFQ69G5FA", "tok_01ARZ3NDEKTSV4RRFFQ69G5F-V",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV", "4111111111111111", "712345678901234111" /* 18 digits */,
        "71234567890123411111", "6123456789012341118", "-123456789012341118",
        "712345678901234111x"}) {
    const auto token = Token::parse(text);
    ASSERT_FALSE(token.has_value()) << text;
    EXPECT_EQ(token.error().code, base::Code::kInvalidToken);
  }
}

TEST(TokenParse, RefusesANumberThatPassesLuhn) {
  int refused = 0;
  for (int last = 0; last < 10; ++last) {
    const std::string text = "712345678901234111" + std::to_string(last);
    EXPECT_EQ(Token::parse(text).has_value(), !luhn_valid(text));
    refused += Token::parse(text).has_value() ? 0 : 1;
  }
  EXPECT_EQ(refused, 1);
}

TEST(TokenNumeric, KeepsTheLastFourAndFailsLuhn) {
  const Token lowest = Token::make(TokenFormat::kNumeric, kNow, "1111", filled(0));
  const Token highest = Token::make(TokenFormat::kNumeric, kNow, "0000", filled(0xff));
  for (const Token& token : {lowest, highest}) {
    const std::string text = token.text();
    EXPECT_EQ(text.size(), 19U);
    EXPECT_EQ(text.front(), '7');
    EXPECT_FALSE(luhn_valid(text));
    EXPECT_FALSE(contains_pan(text));
    EXPECT_EQ(token.format(), TokenFormat::kNumeric);
    EXPECT_NE(token.id(), TokenId{});
  }
  EXPECT_EQ(lowest.text().substr(15), "1111");
  EXPECT_EQ(lowest.text().substr(0, 14), "70000000000000");
  EXPECT_EQ(highest.text().substr(0, 14), "79999999999999");
  EXPECT_EQ(highest.text().substr(15), "0000");
}

TEST(TokenNumeric, HasNoIdUntilTheStoreGivesIt) {
  const Token made = Token::make(TokenFormat::kNumeric, kNow, "4444", filled(0x5a));
  const auto parsed = Token::parse(made.text());
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->number(), made.number());
  EXPECT_EQ(parsed->id(), TokenId{});
  EXPECT_EQ(Token::from_store(made.id(), made.number()).text(), made.text());
}

TEST(TokenDeathTest, NeedsFourLastDigitsForANumber) {
  EXPECT_DEATH(static_cast<void>(Token::make(TokenFormat::kNumeric, kNow, "111", filled(0))),
               "bug: ");
}

TEST(TokenProperty, MakeTextParseAndStoreAgree) {
  std::mt19937_64 source(1);
  std::set<std::string> seen;
  for (int round = 0; round < 20'000; ++round) {
    const auto format = round % 2 == 0 ? TokenFormat::kOpaque : TokenFormat::kNumeric;
    const auto now = static_cast<std::int64_t>(source() >> 16);
    std::string last4 = std::to_string(10'000 + source() % 10'000).substr(1);
    const Token made = Token::make(format, now, last4, drawn(source));
    const std::string text = made.text();
    const auto parsed = Token::parse(text);
    ASSERT_TRUE(parsed.has_value()) << text;
    ASSERT_EQ(parsed->text(), text);
    ASSERT_EQ(parsed->format(), format);
    ASSERT_EQ(Token::from_store(made.id(), made.number()).text(), text);
    if (format == TokenFormat::kOpaque) {
      ASSERT_EQ(parsed->id(), made.id());
    } else {
      ASSERT_FALSE(luhn_valid(text));
      ASSERT_EQ(text.substr(15), last4);
    }
    ASSERT_TRUE(seen.insert(text).second);
  }
}

TEST(TokenProperty, EveryRandomDigitIsEvenlySpread) {
  std::mt19937_64 source(2);
  constexpr int kRounds = 20'000;
  std::array<std::array<int, 10>, 19> counts{};
  for (int round = 0; round < kRounds; ++round) {
    const std::string text = Token::make(TokenFormat::kNumeric, kNow, "1234", drawn(source)).text();
    for (std::size_t i = 0; i < text.size(); ++i) {
      ++counts[i][static_cast<std::size_t>(text[i] - '0')];
    }
  }
  for (std::size_t i = 1; i <= 14; ++i) {
    double chi_square = 0;
    for (const int count : counts[i]) {
      chi_square += std::pow(count - kRounds / 10.0, 2) / (kRounds / 10.0);
    }
    EXPECT_LT(chi_square, 33) << "digit " << i;  // 9 degrees of freedom, p about 0.0001
  }
}

TEST(TokenProperty, AnyOneChangedCharacterIsAnotherTokenOrNone) {
  std::mt19937_64 source(3);
  for (int round = 0; round < 20'000; ++round) {
    const auto format = round % 2 == 0 ? TokenFormat::kOpaque : TokenFormat::kNumeric;
    const Token made = Token::make(format, kNow, "0005", drawn(source));
    std::string text = made.text();
    text[source() % text.size()] = static_cast<char>(source());
    const auto parsed = Token::parse(text);
    if (!parsed) continue;
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (format == TokenFormat::kOpaque) text.replace(0, 3, "tok");
    EXPECT_EQ(parsed->text(), text);
  }
}

}  // namespace
}  // namespace cardvault::core
