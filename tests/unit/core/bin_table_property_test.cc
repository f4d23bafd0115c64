// The BIN table against a model that looks at every row, and at the size of the public lists.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <random>
#include <sstream>

#include "vault/core/bin_csv.h"
#include "vault/core/bin_table.h"

namespace cardvault::core {
namespace {

struct ModelRow {
  std::string start, end, name;
  unsigned length = 0;
};

bool better(const ModelRow& a, const ModelRow& b) {
  if (a.start.size() != b.start.size()) return a.start.size() > b.start.size();
  const long width_a = std::stol(a.end) - std::stol(a.start);
  const long width_b = std::stol(b.end) - std::stol(b.start);
  if (width_a != width_b) return width_a < width_b;
  if (a.start != b.start) return a.start > b.start;
  return a.length > b.length;
}

std::string model_find(const std::vector<ModelRow>& rows, const std::string& digits) {
  const ModelRow* fitting = nullptr;
  const ModelRow* any = nullptr;
  for (const ModelRow& row : rows) {
    const std::string prefix = digits.substr(0, row.start.size());
    if (prefix < row.start || prefix > row.end) continue;
    if (any == nullptr || better(row, *any)) any = &row;
    if (row.length != 0 && row.length != digits.size()) continue;
    if (fitting == nullptr || better(row, *fitting)) fitting = &row;
  }
  if (fitting != nullptr) return fitting->name;
  return any != nullptr ? any->name : "none";
}

std::string random_digits(std::mt19937& random, std::size_t count) {
  std::string out;
  // Few different digits, so that ranges meet.
  while (out.size() < count) out += static_cast<char>('4' + random() % 3);
  return out;
}

TEST(BinTableProperty, AgreesWithAScanOfAllRows) {
  std::mt19937 random(4);
  for (int round = 0; round < 300; ++round) {
    std::vector<ModelRow> rows;
    std::string csv = "iin_start,iin_end,number_length,bank_name\n";
    for (std::size_t i = 0; i < 1 + random() % 60; ++i) {
      const std::size_t prefix = 4 + random() % 8;
      ModelRow row{random_digits(random, prefix), random_digits(random, prefix), "", 0};
      if (row.start > row.end) std::swap(row.start, row.end);
      if (random() % 2 == 0) row.length = 12 + random() % 8;
      row.name = "row" + std::to_string(i);
      const bool taken = std::ranges::any_of(rows, [&](const ModelRow& other) {
        return other.start == row.start && other.end == row.end && other.length == row.length;
      });
      if (taken) continue;
      rows.push_back(row);
      csv += row.start + ',' + row.end + ',' + (row.length == 0 ? "" : std::to_string(row.length)) +
             ',' + row.name + '\n';
    }
    std::istringstream in(csv);
    const auto made = BinTable::read_csv(in);
    ASSERT_TRUE(made.has_value()) << made.error().front().what;
    const auto stored = BinTable::deserialize(made->serialize());
    ASSERT_TRUE(stored.has_value());
    for (int lookup = 0; lookup < 200; ++lookup) {
      const std::string digits = random_digits(random, 12 + random() % 8);
      const auto info = made->find(digits);
      ASSERT_EQ(info ? std::string(info->bank) : "none", model_find(rows, digits)) << csv << digits;
      const auto again = stored->find(digits);
      ASSERT_EQ(again.has_value(), info.has_value());
      if (info) {
        ASSERT_EQ(again->bank, info->bank);
      }
    }
  }
}

TEST(BinTableProperty, SurvivesAnyBytesAsAFile) {
  std::mt19937 random(5);
  const std::string good =
      "iin_start,iin_end,country,bank_name\r\n4111,4113,KZ,\"A, \"\"B\"\"\"\r\n"
      "5555,,US,\xD0\x91\xD0\xB0\xD0\xBD\xD0\xBA\r\n";
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = good;
    for (std::size_t i = 0; i <= random() % 3; ++i) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    std::istringstream in(text);
    const auto made = BinTable::read_csv(in);
    if (made) {
      ++accepted;
      EXPECT_GE(made->size(), 1U);
    } else {
      ASSERT_FALSE(made.error().empty());
      EXPECT_GE(made.error().front().line, 1U);
      EXPECT_LE(made.error().front().line, 5U);
    }
  }
  EXPECT_GT(accepted, 100);
  EXPECT_LT(accepted, 19'900);
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// A table as large as the largest lists sold. PERFORMANCE.md asks for 2 s and 1 us; the bounds here
// are wider, and wider still under a sanitizer: a linear search would miss them by far.
TEST(BinTableSize, LoadsAndFindsAmong350000Rows) {
  std::mt19937 random(6);
  std::string csv = "iin_start,iin_end,number_length,scheme,country,bank_name\n";
  for (std::uint32_t i = 0; i < 350'000; ++i) {
    const std::string start = std::to_string(40'000'000 + i * 100);
    const std::string end = std::to_string(40'000'000 + i * 100 + 60 + random() % 30);
    csv += start + ',' + end + ",16,visa,KZ,Bank number " + std::to_string(random() % 5000) + '\n';
  }
  std::istringstream in(csv);
  const double begun = cpu_seconds();
  const auto made = BinTable::read_csv(in);
  const double reading = cpu_seconds() - begun;
  ASSERT_TRUE(made.has_value()) << made.error().front().what;
  EXPECT_EQ(made->size(), 350'000U);

  const auto bytes = made->serialize();
  const double stored_begun = cpu_seconds();
  const auto stored = BinTable::deserialize(bytes);
  const double restoring = cpu_seconds() - stored_begun;
  ASSERT_TRUE(stored.has_value());

  std::vector<std::string> numbers;
  for (int i = 0; i < 10'000; ++i) {
    numbers.push_back(
        std::to_string(4'000'000'000'000'000 + random() % 3'500'000 * 1'000'000'000ULL));
  }
  std::size_t found = 0;
  const double finding_begun = cpu_seconds();
  for (int round = 0; round < 20; ++round) {
    for (const std::string& number : numbers) found += stored->find(number).has_value() ? 1U : 0U;
  }
  const double lookup_us = (cpu_seconds() - finding_begun) * 1e6 / (20.0 * 10'000);
  EXPECT_GT(found, 20U * 5'000U);
  RecordProperty("reading_ms", static_cast<int>(reading * 1000));
  RecordProperty("restoring_ms", static_cast<int>(restoring * 1000));
  RecordProperty("lookup_ns", static_cast<int>(lookup_us * 1000));
  const double slower = std::getenv("CARDVAULT_SANITIZED") != nullptr ? 5 : 1;
  EXPECT_LT(reading, 8.0 * slower);
  EXPECT_LT(restoring, 8.0 * slower);
  EXPECT_LT(lookup_us, 10.0 * slower);
}

// Ranges that all overlap one another must not make the table quadratic.
TEST(BinTableSize, StaysLinearWhenAllRangesNest) {
  std::string csv = "iin_start,iin_end\n";
  constexpr std::uint64_t kMiddle = 45'000'000'000;
  for (std::uint64_t i = 1; i <= 50'000; ++i) {
    csv += std::to_string(kMiddle - i * 1000) + ',' + std::to_string(kMiddle + i * 1000) + '\n';
  }
  std::istringstream in(csv);
  const auto made = BinTable::read_csv(in);
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->find("4500000000000000")->range_start, "44999999000");
  EXPECT_EQ(made->find("4500000100100000")->range_start, "44999998000");
}

TEST(Utf8, KnowsWellFormedFromIllFormed) {
  for (const std::string_view good : {"", "Bank", "\xD0\x91", "\xE2\x82\xB8", "\xF0\x9F\x92\xB3",
                                      "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(valid_utf8(good));
  }
  for (const std::string_view bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3\x28", "\xE0\x80\x80", "\xE2\x82",
        "\xED\xA0\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
        "a\xE2\x28\xA1"}) {
    EXPECT_FALSE(valid_utf8(bad));
  }
}

}  // namespace
}  // namespace cardvault::core
