#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "provisioning/auditor/event_printer.h"
#include "provisioning/auditor/html.h"
#include "provisioning/auditor/report.h"
#include "provisioning/auditor/report_page.h"
#include "provisioning/auditor/tar.h"
#include "vault/base/fd.h"

namespace cardvault::auditor {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kBegin = 20'000 * kDayMs;

core::Event event(std::string operation, std::string outcome = "ok") {
  core::Event made;
  made.time_ms = kBegin + 1000;
  made.actor = "client:web";
  made.operation = std::move(operation);
  made.outcome = std::move(outcome);
  return made;
}

ReportFacts facts() {
  ReportFacts made;
  made.from_ms = kBegin;
  made.to_ms = kBegin + 30 * kDayMs;
  made.verified.checkpoint = {.origin = "bank.example/vault", .size = 10, .root = {}};
  return made;
}

std::ptrdiff_t files_in(const std::string& folder) {
  return std::distance(std::filesystem::directory_iterator(folder),
                       std::filesystem::directory_iterator());
}

// As root, a file in the place of /dev/null would be the whole machine's misfortune.
TEST(WrittenFile, TakesNoPlaceOfADeviceOrAPipe) {
  const std::string folder = testing::TempDir() + "/written-" + std::to_string(::getpid());
  std::filesystem::create_directory(folder);
  const std::string pipe = folder + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const base::Fd end(::open(pipe.c_str(), O_RDWR | O_CLOEXEC));
  write_file(pipe, "report");
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  std::array<char, 16> found{};
  if (std::filesystem::is_fifo(pipe)) {
    EXPECT_EQ(::read(end.get(), found.data(), found.size()), 6);
  }
  EXPECT_THROW(write_file(folder, "report"), base::StartupError);
  EXPECT_EQ(files_in(folder), 1);
  std::filesystem::remove_all(folder);
}

TEST(WrittenFile, LeavesItsNeighboursAlone) {
  const std::string folder = testing::TempDir() + "/beside-" + std::to_string(::getpid());
  std::filesystem::create_directory(folder);
  const std::string page = folder + "/page.html", other = page + ".part";
  std::ofstream(other) << "another's";
  write_file(page, "first");
  write_file(page, "second");
  std::string found;
  std::ifstream(page) >> found;
  EXPECT_EQ(found, "second");
  std::ifstream(other) >> found;
  EXPECT_EQ(found, "another's");
  EXPECT_EQ(files_in(folder), 2);
  std::filesystem::remove_all(folder);
}

TEST(Html, OfALogHasNoMarkupAndNothingHidden) {
  EXPECT_EQ(escaped("<a href=\"x\" o='y'>&"), "&lt;a href=&quot;x&quot; o=&#39;y&#39;&gt;&amp;");
  EXPECT_EQ(escaped("a\n\tb\x1b[31m"), "a\uFFFD\uFFFDb\uFFFD[31m");
  EXPECT_EQ(escaped("Әйгерім Ёлкина"), "Әйгерім Ёлкина");
  EXPECT_EQ(escaped("a\u202Eb\u200Bc\u00ADd\u0301"), "a\uFFFDb\uFFFDc\uFFFDd\uFFFD");
  EXPECT_EQ(escaped("\xFF\xC3"), "\uFFFD\uFFFD");
}

TEST(ReportPage, ShowsHostileTextAsText) {
  const std::string evil = "</td></main><script>alert(1)</script><img src=x onerror='a'>\u202E";
  ReportFacts of = facts();
  of.verified.checkpoint.origin = evil;
  of.checkpoint_note = evil + "\n";
  of.key = evil;
  of.continues = {evil};
  of.vault = VaultState{kBegin, {{evil, evil, evil, 1, 2}}, {{evil, evil, evil, evil, 1, 2, 3}}};
  ReportTally tally(of.from_ms, of.to_ms);
  for (const char* name : {"tokenize", "detokenize", "key.make", "client.add", "alarm",
                           "hsm.serves", "audit.find", "ceremony.begin", evil.c_str()}) {
    for (const char* outcome : {"ok", "locked", evil.c_str()}) {
      core::Event one = event(name, outcome);
      one.resource = one.fingerprint = one.customer = one.source = one.purpose = evil;
      one.details = {{"kind", evil}, {"serial", evil},      {"device", evil},
                     {"kcv", evil},  {"permissions", evil}, {evil, evil}};
      for (const std::string& actor : {"client:" + evil, "operator:" + evil, evil}) {
        one.actor = actor;
        tally.add(1, one);
      }
    }
  }
  for (const Language language : {Language::kEnglish, Language::kRussian, Language::kKazakh}) {
    const std::string page = report_page(language, of, tally);
    EXPECT_EQ(page.find("<script"), std::string::npos);
    EXPECT_EQ(page.find("<img"), std::string::npos);
    EXPECT_EQ(page.find("\u202E"), std::string::npos);
    EXPECT_EQ(page.find("</main>"), page.rfind("</main>"));
    EXPECT_NE(page.find("&lt;script&gt;"), std::string::npos);
  }
}

TEST(ReportTally, StaysSmallWhateverTheLogHolds) {
  ReportTally tally(kBegin, kBegin + 3650 * kDayMs);
  for (int i = 0; i < 5000; ++i) {
    core::Event one = event("key." + std::to_string(i), i % 2 == 0 ? "ok" : std::to_string(i));
    one.actor = "operator:" + std::to_string(i);
    one.resource = std::to_string(i);
    tally.add(static_cast<std::uint64_t>(i), one);
    one = event("detokenize");
    one.actor = "client:" + std::to_string(i);
    tally.add(static_cast<std::uint64_t>(i), one);
  }
  EXPECT_LE(tally.buckets.size(), ReportTally::kMostBuckets);
  EXPECT_EQ(tally.operators.all().size(), NamedCounts::kMost);
  EXPECT_EQ(tally.operators.left_out(), 5000 - NamedCounts::kMost);
  EXPECT_EQ(tally.operators.total(), 5000U);
  EXPECT_EQ(tally.key_acts.rows.size(), Acts::kMost);
  EXPECT_EQ(tally.reveals.size(), ReportTally::kMostLives);
  EXPECT_EQ(tally.reveals_left_out, 5000 - ReportTally::kMostLives);
}

TEST(ReportTally, KnowsKeysAndClientsFromBeforeThePeriod) {
  ReportTally tally(kBegin, kBegin + kDayMs);
  core::Event made = event("key.make");
  made.time_ms = kBegin - 100 * kDayMs;
  made.resource = "pan-enc/1";
  tally.add(0, made);
  made.operation = "key.activate";
  made.resource = "pan-enc/2";
  made.details = {{"kcv", "0011223344"}, {"previous", "pan-enc/1"}};
  tally.add(1, made);
  EXPECT_EQ(tally.events, 0U);
  EXPECT_EQ(tally.keys.at("pan-enc/1").state, "decrypt only");
  EXPECT_EQ(tally.keys.at("pan-enc/2").state, "active");
  EXPECT_TRUE(tally.key_acts.rows.empty());
  core::Event frozen = event("alarm", "client_frozen");
  core::Event added = event("client.add");
  added.resource = "web";
  tally.add(2, added);
  tally.add(3, frozen);
  EXPECT_EQ(tally.clients.at("web").state, "frozen");
}

TEST(ReportTally, KnowsWhichHsmsServed) {
  ReportTally tally(kBegin, kBegin + kDayMs);
  core::Event serves = event("hsm.serves");
  serves.time_ms = kBegin - 100 * kDayMs;
  serves.details = {{"manufacturer", "Maker"},
                    {"model", "M1"},
                    {"serial", "77"},
                    {"firmware", "1.0"},
                    {"device", "hardware"}};
  EXPECT_TRUE(ReportTally::about_lives(R"({"seq":1,"op":"hsm.serves"})"));
  tally.add(0, serves);
  serves.time_ms = kBegin + 1;
  serves.details[3].second = "1.1";
  tally.add(1, serves);
  serves.details[2].second = "78";
  serves.details[4].second = "software";
  tally.add(2, serves);
  ASSERT_EQ(tally.hsms.size(), 2U);
  EXPECT_EQ(tally.hsms.at("77").firmware, "1.1");
  EXPECT_EQ(tally.hsms.at("77").first_ms, kBegin - 100 * kDayMs);
  EXPECT_EQ(tally.hsms.at("77").last_ms, kBegin + 1);
  const std::string page = report_page(Language::kEnglish, facts(), tally);
  EXPECT_NE(page.find("not a secure cryptographic device"), std::string::npos);
  EXPECT_NE(page.find("Maker M1"), std::string::npos);
}

TEST(ReportTally, PeaksAreOfOneHourAndDay) {
  ReportTally tally(kBegin, kBegin + 3 * kDayMs);
  const auto reveal = [&](std::int64_t at_ms, const char* outcome = "ok") {
    core::Event one = event("detokenize", outcome);
    one.time_ms = kBegin + at_ms;
    tally.add(0, one);
  };
  for (const std::int64_t hour : {0, 0, 0, 5, 5, 30}) reveal(hour * 3'600'000 + 1);
  reveal(kDayMs * 2, "reveal_budget_exhausted");
  const ClientReveals& web = tally.reveals.at("web");
  EXPECT_EQ(web.clear, 6U);
  EXPECT_EQ(web.hour.most, 3U);
  EXPECT_EQ(web.day.most, 5U);
  EXPECT_EQ(web.over_budget, 1U);
}

TEST(ReportTally, ACardThatWasThereBeforeIsNotStoredAgain) {
  ReportTally tally(kBegin, kBegin + 30 * kDayMs);
  for (const char* duplicate : {"false", "true", "true"}) {
    core::Event one = event("tokenize");
    one.details = {{"duplicate", duplicate}};
    tally.add(0, one);
  }
  EXPECT_EQ(tally.total(Kind::kStored), 1U);
  EXPECT_EQ(tally.total(Kind::kRepeated), 2U);
  EXPECT_EQ(tally.done.all().at("tokenize").times, 3U);
  const std::string page = report_page(Language::kEnglish, facts(), tally);
  EXPECT_NE(page.find("<b>1</b><span>Cards stored</span>"), std::string::npos);
}

TEST(ReportTally, ALockoutIsTheTryThatSetIt) {
  ReportTally tally(kBegin, kBegin + 30 * kDayMs);
  const auto add = [&](const char* operation, const char* outcome, const char* lock = nullptr) {
    core::Event one = event(operation, outcome);
    if (lock != nullptr) one.details = {{"lock", lock}};
    tally.add(0, one);
  };
  add("otp.verify", "verification_failed");
  add("otp.verify", "verification_failed", "scope");
  for (int i = 0; i < 3; ++i) add("otp.verify", "locked");
  add("secret.verify", "verification_failed", "subject");
  add("secret.verify", "subject_blocked");
  add("otp.verify", "failure_budget_exhausted");
  EXPECT_EQ(tally.lockouts.total(), 2U);
  EXPECT_EQ(tally.lockouts.all().at("otp.verify lock=scope").times, 1U);
  EXPECT_EQ(tally.lockouts.all().at("secret.verify lock=subject").times, 1U);
  EXPECT_EQ(tally.reasons.all().at("locked").times, 3U);
  EXPECT_EQ(tally.reasons.all().at("subject_blocked").times, 1U);
  const std::string page = report_page(Language::kEnglish, facts(), tally);
  EXPECT_NE(page.find("<b>2</b><span>Lockouts</span>"), std::string::npos);
}

TEST(ReportText, NumbersAndDatesAreOfTheLanguage) {
  EXPECT_EQ(number_text(Language::kEnglish, 1'234'567), "1,234,567");
  EXPECT_EQ(number_text(Language::kRussian, 1'234'567), "1\u00A0234\u00A0567");
  EXPECT_EQ(number_text(Language::kKazakh, 999), "999");
  constexpr std::int64_t kThen = 1'795'329'000'000;  // 2026-11-22T06:30:00Z
  EXPECT_EQ(long_date(Language::kEnglish, kThen), "22\u00A0November\u00A02026");
  EXPECT_EQ(long_date(Language::kRussian, kThen), "22\u00A0ноября\u00A02026\u00A0г.");
  EXPECT_EQ(long_date(Language::kKazakh, kThen),
            "2026\u00A0ж.\u00A0"
            "22\u00A0қараша");
  EXPECT_EQ(short_date(Language::kRussian, kThen, true), "22.11.2026\u00A006:30:00");
}

TEST(ReportText, EverythingIsSaidInEachLanguage) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(Say::kLast_); ++i) {
    for (const Language language : {Language::kEnglish, Language::kRussian, Language::kKazakh}) {
      EXPECT_FALSE(say(language, static_cast<Say>(i)).empty());
    }
  }
}

TEST(EventPrinter, EachColumnOfTheTableHasItsHeading) {
  std::ostringstream out;
  EventPrinter printer(out, EventFormat::kTable);
  core::Event one = event("tokenize");
  one.details = {{"duplicate", "true"}};
  printer.print(7, "", one);
  one.customer = std::string(32, 'c');
  printer.print(8, "", one);
  std::istringstream lines(out.str());
  std::string head, without, with;
  ASSERT_TRUE(std::getline(lines, head) && std::getline(lines, without) &&
              std::getline(lines, with));
  EXPECT_EQ(without.find("duplicate=true"), head.find("DETAILS"));
  EXPECT_EQ(with.find("duplicate=true"), head.find("DETAILS"));
  EXPECT_EQ(with.find(one.customer), head.find("CUSTOMER"));
}

TEST(EventPrinter, CsvQuotesAndHoldsNoFormula) {
  std::ostringstream out;
  EventPrinter printer(out, EventFormat::kCsv);
  core::Event one = event("tokenize");
  one.resource = "=1+2\"; x";
  one.purpose = "@SUM(A1)";
  one.customer = "a,b";
  printer.print(7, "", one);
  printer.finish();
  EXPECT_NE(out.str().find("\r\n7,"), std::string::npos);
  EXPECT_NE(out.str().find(",\"'=1+2\"\"; x\","), std::string::npos);
  EXPECT_NE(out.str().find(",\"'@SUM(A1)\","), std::string::npos);
  EXPECT_NE(out.str().find(",\"a,b\","), std::string::npos);
}

TEST(Tar, ComesBackTheSameAndIsRefusedWhenChanged) {
  const std::vector<TarFile> files = {{"a", "text"}, {"b/c", std::string(1024, 'x')}, {"d", ""}};
  const std::string archive = make_tar(files, 1'795'329'000);
  const auto back = read_tar(archive);
  ASSERT_TRUE(back);
  ASSERT_EQ(back->size(), 3U);
  EXPECT_EQ((*back)[1].name, "b/c");
  EXPECT_EQ((*back)[1].bytes, files[1].bytes);
  for (std::size_t i = 0; i < archive.size(); ++i) {
    EXPECT_FALSE(read_tar(archive.substr(0, i))) << i;
    std::string changed = archive;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    const auto other = read_tar(changed);
    EXPECT_FALSE(other && make_tar(*other, 1'795'329'000) == archive) << i;
  }
  EXPECT_FALSE(read_tar(archive + archive));
  EXPECT_FALSE(read_tar(""));
}

}  // namespace
}  // namespace cardvault::auditor
