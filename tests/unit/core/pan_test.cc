#include "vault/core/pan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <new>
#include <random>
#include <type_traits>

#include "vault/base/secret.h"

namespace cardvault::core {
namespace {

static_assert(!std::is_copy_constructible_v<Pan>);
static_assert(!std::is_copy_assignable_v<Pan>);

std::string digits_of(std::string_view text) {
  const auto pan = Pan::parse(text);
  return pan ? std::string(pan->expose()) : "refused";
}

TEST(PanParse, ReadsDigitsAndSingleSeparators) {
  EXPECT_EQ(digits_of("4111111111111111"), "4111111111111111");
  EXPECT_EQ(digits_of("4111 1111-1111 1111"), "4111111111111111");
  EXPECT_EQ(digits_of("123456789012"), "123456789012");
  EXPECT_EQ(digits_of("1234567890123456789"), "1234567890123456789");
}

TEST(PanParse, RefusesEverythingElse) {
  for (const std::string_view text :
       {"", " ", "12345678901", "12345678901234567890", "4111  1111 1111 1111", "-4111111111111111",
        "4111111111111111 ", "4111.1111.1111.1111", "4111111111111111x", "4111- 111111111111",
        "\xEF\xBC\x94"
        "111111111111111",
        "4111111\n11111111"}) {
    const auto pan = Pan::parse(text);
    ASSERT_FALSE(pan.has_value()) << text;
    EXPECT_EQ(pan.error().code, base::Code::kInvalidPan);
  }
  EXPECT_FALSE(Pan::parse(std::string_view("411111111111\0001111", 17)).has_value());
}

TEST(PanParse, LeavesLuhnToTheCaller) {
  EXPECT_FALSE(Pan::parse("4111111111111112")->luhn_valid());
  EXPECT_TRUE(Pan::parse("4111111111111111")->luhn_valid());
}

TEST(Pan, IsWipedInItsPlaceWhenDestroyed) {
  alignas(Pan) std::array<unsigned char, sizeof(Pan)> place{};
  Pan* pan = new (place.data()) Pan(std::move(*Pan::parse("4111111111111111")));
  const auto holds_digit = [&] {
    return std::ranges::any_of(place, [](unsigned char c) { return c == '1' || c == '4'; });
  };
  EXPECT_TRUE(holds_digit());
  pan->~Pan();
  // Read through a pointer that hides the lifetime from the optimizer.
  const volatile unsigned char* bytes = place.data();
  for (std::size_t i = 0; i < Pan::kMaxDigits; ++i) ASSERT_EQ(bytes[i], 0) << i;
}

TEST(Pan, IsWipedWhereItMovedFrom) {
  auto from = Pan::parse("5555555555554444");
  const char* old_place = from->expose().data();
  Pan to = std::move(*from);
  EXPECT_EQ(from->size(), 0U);
  for (std::size_t i = 0; i < Pan::kMaxDigits; ++i) EXPECT_EQ(old_place[i], 0);
  EXPECT_EQ(to.expose(), "5555555555554444");

  auto other = Pan::parse("378282246310005");
  to = std::move(*other);
  EXPECT_EQ(other->size(), 0U);
  EXPECT_EQ(to.expose(), "378282246310005");
  Pan& self = to;
  to = std::move(self);
  EXPECT_EQ(to.expose(), "378282246310005");
}

TEST(Pan, GivesOnlyThePartsThatMayBeKept) {
  const auto sixteen = Pan::parse("4111111111111111");
  EXPECT_EQ(sixteen->last4(), "1111");
  EXPECT_EQ(sixteen->bin_digits(0), "");
  EXPECT_EQ(sixteen->bin_digits(6), "411111");
  EXPECT_EQ(sixteen->bin_digits(8), "41111111");
  const auto fifteen = Pan::parse("378282246310005");
  EXPECT_EQ(fifteen->bin_digits(8), "378282");
  EXPECT_EQ(fifteen->last4(), "0005");
}

TEST(PanDeathTest, RefusesABinOfAnotherLength) {
  const auto pan = Pan::parse("4111111111111111");
  EXPECT_DEATH(static_cast<void>(pan->bin_digits(12)), "bug: ");
}

TEST(Luhn, KnowsPublicTestNumbers) {
  for (const std::string_view number :
       {"4111111111111111", "5555555555554444", "4000056655665556", "378282246310005",
        "6011111111111117", "30569309025904", "0", "18"}) {
    EXPECT_TRUE(luhn_valid(number)) << number;
  }
}

TEST(Luhn, RefusesWhatIsNoNumber) {
  EXPECT_FALSE(luhn_valid(""));
  EXPECT_FALSE(luhn_valid("4111 1111 1111 1111"));
  EXPECT_FALSE(luhn_valid("411111111111111a"));
}

TEST(Luhn, CatchesEverySingleDigitError) {
  std::string number = "4000056655665556";
  for (char& digit : number) {
    const char right = digit;
    for (char wrong = '0'; wrong <= '9'; ++wrong) {
      digit = wrong;
      EXPECT_EQ(luhn_valid(number), wrong == right);
    }
    digit = right;
  }
}

TEST(ContainsPan, FindsOneInText) {
  for (const std::string_view text :
       {"4111111111111111", "card 4111 1111 1111 1111 please", "n=4111-1111-1111-1111;",
        "x4111111111111111y", "order 12 4111111111111111", "4111111111111111 2027-12",
        "1 4111 1111 1111 1111 27", "00004111111111111111", "411111111111111122222222",
        "tel +77011234567, card 378282246310005"}) {
    EXPECT_TRUE(contains_pan(text)) << text;
  }
}

TEST(ContainsPan, LetsOtherTextPass) {
  for (const std::string_view text :
       {"", "no digits", "+77011234567", "8 701 123 45 67", "4111111111111112", "18", "2026-11-22",
        "4111  1111  1111  1111", "41111111 x 11111111", "12345678901",
        "7123456789012341118" /* a numeric token fails Luhn */}) {
    EXPECT_FALSE(contains_pan(text)) << text;
  }
}

TEST(ContainsPan, TakesAnyTwelveDigitsThatPassLuhnForAPan) {
  // One in ten 12-digit personal numbers does: those customers need another identifier.
  EXPECT_TRUE(contains_pan("880101300015"));
  EXPECT_FALSE(contains_pan("880101300012"));
}

// The rule, word by word: a run is digits with single separators; a candidate is 12 to 19 of its
// digits, between ends of groups, or between any digits when the run is longer than 19.
bool naive_contains_pan(std::string_view text) {
  const auto digit = [&](std::size_t i) {
    return i < text.size() && text[i] >= '0' && text[i] <= '9';
  };
  for (std::size_t begin = 0; begin < text.size(); ++begin) {
    if (!digit(begin) || (begin > 0 && digit(begin - 1))) continue;
    std::string digits;
    std::vector<bool> starts, ends;
    for (std::size_t i = begin; digit(i) || (i > begin && digit(i - 1) && digit(i + 1) &&
                                             (text[i] == ' ' || text[i] == '-'));
         ++i) {
      if (!digit(i)) continue;
      digits += text[i];
      starts.push_back(i == begin || !digit(i - 1));
      ends.push_back(!digit(i + 1));
    }
    for (std::size_t from = 0; from < digits.size(); ++from) {
      for (std::size_t count = 12; count <= 19 && from + count <= digits.size(); ++count) {
        const bool aligned = starts[from] && ends[from + count - 1];
        if ((aligned || digits.size() > 19) && luhn_valid(digits.substr(from, count))) return true;
      }
    }
  }
  return false;
}

TEST(ContainsPan, AgreesWithTheRuleOnRandomText) {
  std::mt19937 random(20261122);
  constexpr std::string_view kLetters = "0123456789012345678901234567890123456789 -- x";
  int found = 0;
  for (int round = 0; round < 30'000; ++round) {
    std::string text(random() % 40, ' ');
    for (char& c : text) c = kLetters[random() % kLetters.size()];
    const bool expected = naive_contains_pan(text);
    ASSERT_EQ(contains_pan(text), expected) << text;
    found += expected ? 1 : 0;
  }
  EXPECT_GT(found, 3000);
  EXPECT_LT(found, 27'000);
}

TEST(PanParse, AgreesWithTheRuleOnRandomText) {
  std::mt19937 random(7);
  constexpr std::string_view kLetters = "0123456789012345678901234567890123456789 -x";
  int accepted = 0;
  for (int round = 0; round < 30'000; ++round) {
    std::string text(random() % 26, ' ');
    for (char& c : text) c = kLetters[random() % kLetters.size()];
    std::string digits;
    bool good = !text.empty();
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] >= '0' && text[i] <= '9') {
        digits += text[i];
      } else {
        good = good && text[i] != 'x' && i > 0 && i + 1 < text.size() && text[i - 1] >= '0' &&
               text[i - 1] <= '9' && text[i + 1] >= '0' && text[i + 1] <= '9';
      }
    }
    good = good && digits.size() >= 12 && digits.size() <= 19;
    ASSERT_EQ(digits_of(text), good ? digits : "refused") << text;
    accepted += good ? 1 : 0;
  }
  EXPECT_GT(accepted, 1000);
}

TEST(MaskPan, ShowsTheBinAndTheLastFourOnly) {
  EXPECT_EQ(mask_pan("411111", "1111", 16), "411111******1111");
  EXPECT_EQ(mask_pan("41111111", "1111", 16), "41111111****1111");
  EXPECT_EQ(mask_pan("", "0005", 15), "***********0005");
  EXPECT_EQ(mask_pan("123456", "9012", 12), "123456**9012");
}

TEST(MaskPan, ShowsLessOfADamagedRecord) {
  EXPECT_EQ(mask_pan("411111", "1111", 10), "******1111");
  EXPECT_EQ(mask_pan("411111", "1111", 3), "1111");
}

}  // namespace
}  // namespace cardvault::core
