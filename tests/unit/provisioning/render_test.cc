#include "provisioning/render.h"

#include <gtest/gtest.h>

#include <sstream>

#include "provisioning/progress.h"

namespace cardvault::provisioning {
namespace {

std::string rendered(Format format, std::vector<std::string> columns,
                     std::vector<std::vector<std::string>> rows) {
  wire::AdminAnswer answer;
  answer.columns = std::move(columns);
  answer.rows = std::move(rows);
  std::ostringstream out;
  render(out, format, answer);
  return out.str();
}

TEST(Render, AlignsColumnsByCharacters) {
  EXPECT_EQ(rendered(Format::kTable, {"bank", "country"}, {{"Қазақ", "KZ"}, {"Demo Bank", "US"}}),
            "BANK       COUNTRY\n"
            "Қазақ      KZ\n"
            "Demo Bank  US\n");
}

TEST(Render, KeepsControlCharactersFromTheTerminal) {
  EXPECT_EQ(rendered(Format::kTable, {"a"}, {{"x\033[2Jy\n"}}), "A\nx?[2Jy?\n");
}

TEST(Render, EscapesJson) {
  EXPECT_EQ(rendered(Format::kJson, {"a", "b"}, {{"\"\\\n", "é"}}),
            "[\n  {\"a\": \"\\\"\\\\\\u000a\", \"b\": \"é\"}\n]\n");
}

TEST(Render, WritesAnEmptyAnswerAsAnEmptyArray) {
  EXPECT_EQ(rendered(Format::kJson, {}, {}), "[]\n");
  EXPECT_EQ(rendered(Format::kTable, {}, {}), "");
}

TEST(Progress, PrintsNothingWhereNobodyWatches) {
  std::ostringstream out;
  {
    Progress(out, false, "backup").show(1, 2);
  }
  EXPECT_EQ(out.str(), "");
}

TEST(Progress, DrawsEachPercentOnceAndClearsItsLine) {
  std::ostringstream out;
  {
    Progress progress(out, true, "backup");
    progress.show(500, 1000);
    progress.show(501, 1000);
  }
  EXPECT_EQ(out.str(), "\rbackup [===============               ] 50 %\033[K\r\033[K");
}

}  // namespace
}  // namespace cardvault::provisioning
