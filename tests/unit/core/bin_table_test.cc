#include "vault/core/bin_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace cardvault::core {
namespace {

using testing::ElementsAre;
using testing::Field;

constexpr std::string_view kHeader =
    "iin_start,iin_end,number_length,number_luhn,scheme,brand,type,prepaid,country,bank_name,"
    "bank_logo,bank_url,bank_phone,bank_city,currency\n";

auto read(const std::string& text) {
  std::istringstream in(text);
  return BinTable::read_csv(in);
}

// Reads rows of iin_start,iin_end,number_length,bank_name.
BinTable table(const std::string& rows) {
  auto made = read("iin_start,iin_end,number_length,bank_name\n" + rows);
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().front().what);
  return made ? std::move(*made) : BinTable();
}

std::string bank_of(const BinTable& table, std::string_view digits) {
  const auto info = table.find(digits);
  return info ? std::string(info->bank) : "none";
}

std::string problem(const std::string& row) {
  const auto made = read(std::string(kHeader) + row);
  if (made) return "accepted";
  return std::to_string(made.error().front().line) + ": " + made.error().front().what;
}

TEST(BinTableCsv, ReadsEveryColumn) {
  const auto made =
      read(std::string(kHeader) +
           "41111111,41111112,16,n,VISA,Visa Gold,Debit,y,kz,\"Bank \"\"A\"\", Almaty\","
           "logo,url,phone,city,kzt\r\n");
  ASSERT_TRUE(made.has_value()) << made.error().front().what;
  EXPECT_EQ(made->size(), 1U);
  const auto info = made->find("4111111111111111");
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->scheme, "visa");
  EXPECT_EQ(info->brand, "Visa Gold");
  EXPECT_EQ(info->type, "debit");
  EXPECT_EQ(info->country, "KZ");
  EXPECT_EQ(info->currency, "KZT");
  EXPECT_EQ(info->bank, "Bank \"A\", Almaty");
  EXPECT_TRUE(info->prepaid);
  EXPECT_FALSE(info->luhn);
  EXPECT_EQ(info->length, 16);
  EXPECT_EQ(info->range_start, "41111111");
  EXPECT_EQ(info->range_end, "41111112");
}

TEST(BinTableCsv, LeavesUnknownThingsEmpty) {
  const auto made = read("\xEF\xBB\xBFiin_start\n4111\n");
  ASSERT_TRUE(made.has_value());
  const auto info = made->find("4111111111111111");
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->scheme, "");
  EXPECT_EQ(info->country, "");
  EXPECT_EQ(info->currency, "");
  EXPECT_EQ(info->length, 0);
  EXPECT_TRUE(info->luhn);
  EXPECT_FALSE(info->prepaid);
  EXPECT_EQ(info->range_end, "4111");
}

TEST(BinTableCsv, AcceptsEverySpellingOfYesAndNo) {
  for (const char* yes : {"y", "yes", "true", "1", "Y", "TRUE"}) {
    const auto made = read("iin_start,prepaid,number_luhn\n4111," + std::string(yes) + "," + yes);
    ASSERT_TRUE(made.has_value()) << yes;
    EXPECT_TRUE(made->find("41111111")->prepaid);
    EXPECT_TRUE(made->find("41111111")->luhn);
  }
  for (const char* no : {"n", "no", "false", "0", "No"}) {
    const auto made = read("iin_start,prepaid,number_luhn\n4111," + std::string(no) + "," + no);
    ASSERT_TRUE(made.has_value()) << no;
    EXPECT_FALSE(made->find("41111111")->prepaid);
    EXPECT_FALSE(made->find("41111111")->luhn);
  }
}

TEST(BinTableCsv, NamesWhatIsWrongWithARow) {
  EXPECT_EQ(problem("4111a,,,,,,,,,,,,,,\n"), "2: iin_start is not digits only");
  EXPECT_EQ(problem("4111,41 2,,,,,,,,,,,,,\n"), "2: iin_end is not digits only");
  EXPECT_EQ(problem(",,,,,,,,,,,,,,\n"), "2: iin_start has not 4 to 11 digits");
  EXPECT_EQ(problem("411,,,,,,,,,,,,,,\n"), "2: iin_start has not 4 to 11 digits");
  EXPECT_EQ(problem("411111111111,,,,,,,,,,,,,,\n"), "2: iin_start has not 4 to 11 digits");
  EXPECT_EQ(problem("4111,41112,,,,,,,,,,,,,\n"),
            "2: iin_start and iin_end differ in their number of digits");
  EXPECT_EQ(problem("4112,4111,,,,,,,,,,,,,\n"), "2: iin_start is above iin_end");
  for (const std::string length : {"11", "20", "1x", "016", "-1", "1"}) {
    EXPECT_EQ(problem("4111,," + length + ",,,,,,,,,,,,\n"), "2: number_length is not 12 to 19");
  }
  EXPECT_EQ(problem("4111,,,maybe,,,,,,,,,,,\n"), "2: number_luhn is neither yes nor no");
  EXPECT_EQ(problem("4111,,,,,,,2,,,,,,,\n"), "2: prepaid is neither yes nor no");
  EXPECT_EQ(problem("4111,,,,,,,,KAZ,,,,,,\n"),
            "2: country is not two letters (ISO 3166-1 alpha-2)");
  EXPECT_EQ(problem("4111,,,,,,,,K1,,,,,,\n"),
            "2: country is not two letters (ISO 3166-1 alpha-2)");
  EXPECT_EQ(problem("4111,,,,,,,,,,,,,,398\n"), "2: currency is not three letters (ISO 4217)");
  EXPECT_EQ(problem("4111,,,,,,,,,,,,,\n"), "2: 14 columns, the header has 15");
  EXPECT_EQ(problem("4111,,,,,,,,,,,,,,,\n"), "2: 16 columns, the header has 15");
  EXPECT_EQ(problem("4111,,,,,,,,,bank\xC3\x28,,,,,\n"), "2: not UTF-8");
  EXPECT_EQ(problem("4111,,,,,,,,,,\xFF,,,,\n"), "2: not UTF-8");
  EXPECT_EQ(problem("4111,,,,,,,,,\"two\nlines\",,,,,\n"),
            "2: bank_name holds a control character");
  EXPECT_EQ(problem("4111,,,,," + std::string(256, 'b') + ",,,,,,,,,\n"),
            "2: brand is longer than 255 bytes");
  EXPECT_EQ(problem("4111,,,,,a\"b,,,,,,,,,\n"),
            "2: a quote in an unquoted field or after a quoted one");
  EXPECT_EQ(problem("4111,,,,,\"ab\"c,,,,,,,,,\n"),
            "2: a quote in an unquoted field or after a quoted one");
  EXPECT_EQ(problem("4111,,,,,\"ab,,,,,,,,,\n"),
            "2: a quoted field is not closed before the file ends");
  EXPECT_EQ(problem("4111,,,,,\"" + std::string(70'000, 'b') + "\",,,,,,,,,\n"),
            "2: a row of more than 64 KiB: is a quote not closed?");
}

TEST(BinTableCsv, NamesWhatIsWrongWithTheHeader) {
  const auto header = [](const std::string& text) { return read(text).error().front(); };
  EXPECT_EQ(header("").what, "the file is empty");
  EXPECT_EQ(header("iin,country\n4111,KZ\n").what, "the header has no column iin_start");
  EXPECT_EQ(header("iin_start,scheme,scheme\n4111,a,b\n").what,
            "the header names column scheme twice");
  EXPECT_EQ(header("iin_start\n").what, "no rows below the header");
  EXPECT_EQ(header("\"iin_start\n").what, "a quoted field is not closed before the file ends");
}

TEST(BinTableCsv, CountsLinesThroughQuotedLineEndsAndBlankLines) {
  const auto made = read(
      "iin_start,country,bank_city\r\n"
      "4111,KZ,\"two\r\nlines\"\r\n"  // 2 and 3
      "\r\n"                          // 4
      "4112,KAZ,\r\n"                 // 5
      "4113,KZ,\"a\"b\r\n"            // 6
      "4114,KZ,\r\n"                  // 7
      "411x,KZ,");                    // 8
  ASSERT_FALSE(made.has_value());
  EXPECT_THAT(made.error(), ElementsAre(Field(&BinProblem::line, 5U), Field(&BinProblem::line, 6U),
                                        Field(&BinProblem::line, 8U)));
}

TEST(BinTableCsv, NamesEveryDuplicateAfterTheFirst) {
  const auto made = read(
      "iin_start,iin_end,number_length\n4111,4113,16\n4111,4113,\n5555,,\n4111,4113,16\n5555,5555,"
      "\n"
      "4111,4113,16\n");
  ASSERT_FALSE(made.has_value());
  ASSERT_EQ(made.error().size(), 3U);
  EXPECT_EQ(made.error()[0].line, 5U);
  EXPECT_EQ(made.error()[0].what, "the same range and length as in line 2");
  EXPECT_EQ(made.error()[1].line, 6U);
  EXPECT_EQ(made.error()[1].what, "the same range and length as in line 4");
  EXPECT_EQ(made.error()[2].line, 7U);
}

TEST(BinTableCsv, StopsAtAHundredProblems) {
  std::string text = "iin_start\n";
  for (int i = 0; i < 1000; ++i) text += "x\n";
  const auto made = read(text);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().size(), 100U);
  EXPECT_EQ(made.error().back().line, 101U);
}

TEST(BinTableCsv, NeverRepeatsWhatTheFileSays) {
  const auto made = read("iin_start,country\n4111111111111111,KZ\nsecret,KZ\n4111,secret\n");
  ASSERT_FALSE(made.has_value());
  for (const BinProblem& found : made.error()) {
    EXPECT_EQ(found.what.find("secret"), std::string::npos);
    EXPECT_EQ(found.what.find("4111"), std::string::npos);
  }
}

TEST(BinTableFind, PrefersTheLongestPrefix) {
  const BinTable bins = table("4111,,,four\n41111111,,,eight\n411111,,,six\n");
  EXPECT_EQ(bank_of(bins, "4111111111111111"), "eight");
  EXPECT_EQ(bank_of(bins, "4111110011111111"), "six");
  EXPECT_EQ(bank_of(bins, "4111000000000000"), "four");
  EXPECT_EQ(bank_of(bins, "4110999999999999"), "none");
  EXPECT_EQ(bank_of(bins, "4112000000000000"), "none");
}

TEST(BinTableFind, PrefersTheNarrowestOfEquallyLongRanges) {
  const BinTable bins = table(
      "410000,419999,,wide\n411000,411999,,middle\n411100,411199,,narrow\n"
      "411150,411250,,overlap\n");
  EXPECT_EQ(bank_of(bins, "4111000000000000"), "narrow");
  EXPECT_EQ(bank_of(bins, "4111990000000000"), "narrow");
  EXPECT_EQ(bank_of(bins, "4112500000000000"), "overlap");
  EXPECT_EQ(bank_of(bins, "4112510000000000"), "middle");
  EXPECT_EQ(bank_of(bins, "4199999999999999"), "wide");
  EXPECT_EQ(bank_of(bins, "4200000000000000"), "none");
}

TEST(BinTableFind, SkipsRowsOfAnotherLengthWhenThereIsABetterOne) {
  const BinTable bins = table("4111,,,any\n411111,,16,sixteen\n41111111,,13,thirteen\n");
  EXPECT_EQ(bank_of(bins, "4111111111111111"), "sixteen");
  EXPECT_EQ(bank_of(bins, "4111111111111"), "thirteen");
  EXPECT_EQ(bank_of(bins, "4111111111111111111"), "any");
  EXPECT_EQ(bank_of(table("5000,,16,only\n"), "500000000000"), "only");
}

TEST(BinTableFind, AnswersForTheFewDigitsAnOperatorKnows) {
  const BinTable bins = table("4111,,,four\n411111,411119,16,six\n41111111111,,,eleven\n");
  EXPECT_EQ(bank_of(bins, "4111"), "four");
  EXPECT_EQ(bank_of(bins, "411115"), "six");
  EXPECT_EQ(bank_of(bins, "41111111"), "six");
  EXPECT_EQ(bank_of(bins, "41111111111"), "eleven");
  EXPECT_EQ(bank_of(bins, "411"), "none");
  EXPECT_EQ(bank_of(bins, ""), "none");
}

TEST(BinTableFind, HasNoAnswerForWhatIsNoNumber) {
  const BinTable bins = table("4111,,,four\n");
  EXPECT_EQ(bank_of(bins, "4111 1111 1111 1111"), "none");
  EXPECT_EQ(bank_of(bins, "4111/"), "none");
  EXPECT_EQ(bank_of(BinTable(), "4111111111111111"), "none");
}

TEST(BinTableFind, CoversTheEndsOfTheNumberLine) {
  const BinTable bins = table("0000,,,first\n9999,,,last\n99999999999,,,top\n00000000000,,,zero\n");
  EXPECT_EQ(bank_of(bins, "000000000000"), "zero");
  EXPECT_EQ(bank_of(bins, "000099999999"), "first");
  EXPECT_EQ(bank_of(bins, "999999999999"), "top");
  EXPECT_EQ(bank_of(bins, "999900000000"), "last");
}

TEST(BinTable, MovesWithItsTexts) {
  BinTable bins = table("4111,,,x\n");
  BinTable moved = std::move(bins);
  bins = std::move(moved);
  EXPECT_EQ(bank_of(bins, "4111111111111111"), "x");
}

TEST(BinTableBytes, ComeBackTheSame) {
  const auto made = read(std::string(kHeader) +
                         "41111111,41111112,16,n,visa,Gold,debit,y,KZ,Bank,,,,,KZT\n"
                         "5555,,,,mastercard,,credit,,US,Other,,,,,\n");
  ASSERT_TRUE(made.has_value());
  const auto bytes = made->serialize();
  const auto back = BinTable::deserialize(bytes);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->size(), 2U);
  EXPECT_EQ(back->serialize(), bytes);
  const auto info = back->find("4111111211111111");
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->bank, "Bank");
  EXPECT_EQ(info->currency, "KZT");
  EXPECT_EQ(info->range_end, "41111112");
  EXPECT_TRUE(info->prepaid);
  EXPECT_FALSE(info->luhn);
  EXPECT_EQ(BinTable::deserialize(BinTable().serialize())->size(), 0U);
}

TEST(BinTableBytes, AreRefusedWhenAnyByteChanged) {
  const auto bytes = table("4111,4113,16,Bank\n").serialize();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto damaged = bytes;
    damaged[i] ^= 1;
    EXPECT_FALSE(BinTable::deserialize(damaged).has_value()) << i;
    EXPECT_FALSE(BinTable::deserialize(std::span(bytes).first(i)).has_value()) << i;
  }
  auto longer = bytes;
  longer.push_back(0);
  ASSERT_FALSE(BinTable::deserialize(longer).has_value());
  EXPECT_EQ(BinTable::deserialize(longer).error().code, base::Code::kInvalidArgument);
}

}  // namespace
}  // namespace cardvault::core
