#include "vault/audit/segments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/audit/memory_log.h"
#include "vault/audit/event_codec.h"
#include "vault/base/clock.h"

namespace cardvault::audit {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kNovember = 1'793'491'200'000;  // 2026-11-01T00:00:00Z

// Event number i of a vault that has one an hour.
std::string hourly(std::uint64_t i) {
  core::Event event;
  event.time_ms = kNovember + static_cast<std::int64_t>(i) * kHourMs;
  event.actor = "client:web";
  event.operation = "tokenize";
  std::string line;
  append_event(line, i, event);
  return line;
}
constexpr std::uint64_t kEndOfNovember = 30 * 24, kEndOfDecember = 61 * 24, kEndOfJanuary = 92 * 24;

TEST(SegmentPath, IsOfAMonthAndSpelledInTheOneWay) {
  for (const char* path :
       {"segment/latest", "segment/2026-11/checkpoint", "segment/2026-11/manifest",
        "segment/2026-11/tile/0/000.p/3", "segment/2026-11/tile/entries/x001/234.p/255"}) {
    EXPECT_TRUE(is_segment_path(path)) << path;
  }
  for (const char* path :
       {"segment", "segment/", "segment/2026-11", "segment/2026-11/", "segment/2026-1/manifest",
        "segment/../../../manifest", "segment/2026-11//manifest", "segment/2026-11manifest",
        "segment/2026-11/manifest/", "segment/2026-11/../latest", "segment/2026-11/latest",
        "segment/2026-11/segment/2026-11/manifest", "/segment/latest", "segment/latest.new",
        "segment/2026-1x/manifest", "segment/2026-11/tile/../manifest", "checkpoint"}) {
    EXPECT_FALSE(is_segment_path(path)) << path;
  }
}

class Months : public testing::Test {
 protected:
  // Goes on with the log on `disk`, in batches, as a vault that was just started.
  base::Result<void> publish_to(std::uint64_t size, std::uint64_t batch = 1000) {
    LogWriter writer(disk, {key.key}, key.sign);
    if (const auto why = writer.open({})) ADD_FAILURE() << *why;
    MonthlyLog months(disk, writer, [&] { return keep(writer); });
    while (writer.size() < size) {
      std::vector<std::string> lines;
      const std::uint64_t end = std::min(size, writer.size() + batch);
      for (std::uint64_t i = writer.size(); i < end; ++i) lines.push_back(hourly(i));
      if (auto done = months.publish(lines); !done) return done;
    }
    return {};
  }
  [[nodiscard]] std::vector<std::string> files_of(const std::string& month) {
    std::vector<std::string> paths;
    const auto manifest = parse_manifest(disk.files.at("segment/" + month + "/manifest"));
    for_each_file(*manifest, [&](const std::string& path) { paths.push_back(path); });
    return paths;
  }
  [[nodiscard]] VerifyReport verify(const ReadFile& read) {
    return verify_log(read, key.key, {}, {.threads = 2, .progress = {}});
  }
  // The first of the folders that has it, as --also does.
  static ReadFile overlay(std::vector<const std::map<std::string, std::string>*> folders,
                          std::string first_prefix = "") {
    return [=](const std::string& path) -> base::Result<std::optional<std::string>> {
      std::string name = first_prefix + path;
      for (const auto* folder : folders) {
        if (const auto found = folder->find(name); found != folder->end()) return found->second;
        name = path;
      }
      return std::nullopt;
    };
  }
  // What may be gone from the disk a start doesn't need any more.
  base::Result<void> keep(const LogWriter& writer) {
    if (!keeping) return base::fail(base::Code::kStoreFailed, "keep");
    EXPECT_EQ(writer.durable_size(), writer.size());
    kept = writer.checkpoint();
    return {};
  }
  MemoryFiles disk;
  TestKey key;
  bool keeping = true;
  std::string kept;
};

TEST_F(Months, EachIsClosedAtItsLastEventBeforeTheNextBegins) {
  ASSERT_TRUE(publish_to(kEndOfNovember));
  EXPECT_FALSE(disk.files.contains("segment/latest"));
  ASSERT_TRUE(publish_to(kEndOfNovember + 1));
  EXPECT_TRUE(disk.files.contains("segment/2026-11/checkpoint"));
  ASSERT_TRUE(publish_to(kEndOfJanuary + 5));
  for (const auto& [month, size] : std::map<std::string, std::uint64_t>{
           {"2026-11", kEndOfNovember}, {"2026-12", kEndOfDecember}, {"2027-01", kEndOfJanuary}}) {
    const auto closed = open_checkpoint(disk.files.at("segment/" + month + "/checkpoint"), key.key);
    EXPECT_EQ(closed.trust, Trust::kGood);
    EXPECT_EQ(closed.checkpoint.size, size);
    const auto manifest = parse_manifest(disk.files.at("segment/" + month + "/manifest"));
    ASSERT_TRUE(manifest);
    EXPECT_EQ(manifest->size, size);
    EXPECT_EQ(manifest->month, month);
  }
  EXPECT_EQ(parse_manifest(disk.files.at("segment/2027-01/manifest"))->first, kEndOfDecember);
  EXPECT_EQ(parse_manifest(disk.files.at("segment/2027-01/manifest"))->previous, "2026-12");
  EXPECT_EQ(disk.files.at("segment/latest"), disk.files.at("segment/2027-01/manifest"));
  EXPECT_THAT(disk.files.at("segment/2026-12/manifest"),
              HasSubstr("tile/entries/002 to tile/entries/004\n"));
  EXPECT_TRUE(verify(disk.reader()).findings.empty());
}

TEST_F(Months, IsClosedOnceItsCheckpointIsKept) {
  ASSERT_TRUE(publish_to(kEndOfNovember));
  keeping = false;
  EXPECT_EQ(publish_to(kEndOfNovember + 5).error().code, base::Code::kStoreFailed);
  for (const auto& [path, bytes] : disk.files) EXPECT_FALSE(path.starts_with("segment/")) << path;
  keeping = true;
  ASSERT_TRUE(publish_to(kEndOfJanuary + 5));
  // With that one, and without the files of any closed month, the log goes on.
  for (const char* month : {"2026-11", "2026-12", "2027-01"}) {
    for (const std::string& path : files_of(month)) disk.files.erase(path);
  }
  LogWriter writer(disk, {key.key}, key.sign);
  const std::vector<KeptCheckpoint> newest = {{"kept", kept}};
  EXPECT_EQ(writer.open(newest), std::nullopt);
  EXPECT_EQ(open_checkpoint(kept, key.key).checkpoint.size, kEndOfJanuary);
}

TEST_F(Months, AMonthCanBeVerifiedAsItWas) {
  ASSERT_TRUE(publish_to(kEndOfJanuary + 400, 7));
  for (const char* month : {"2026-11", "2026-12", "2027-01"}) {
    const std::string folder = "segment/" + std::string(month) + "/";
    const auto report = verify(overlay({&disk.files, &disk.files}, folder));
    EXPECT_TRUE(report.findings.empty()) << month << report.findings[0].what;
    EXPECT_EQ(base::format_time(report.last_ms).substr(0, 7), month);
  }
}

TEST_F(Months, ClosedOnesMayBeMovedAwayAndTheLogGoesOn) {
  std::map<std::string, std::string> worm;
  const auto move = [&](const std::string& month) {
    for (const std::string& path : files_of(month)) {
      auto file = disk.files.extract(path);
      ASSERT_FALSE(file.empty()) << path;
      worm.insert(std::move(file));
    }
  };
  ASSERT_TRUE(publish_to(kEndOfNovember + 300));
  move("2026-11");
  ASSERT_TRUE(publish_to(kEndOfJanuary + 300));
  move("2026-12");
  move("2027-01");
  EXPECT_FALSE(disk.files.contains("tile/0/000"));
  ASSERT_TRUE(publish_to(kEndOfJanuary + 600));
  const auto report = verify(overlay({&disk.files, &worm}));
  EXPECT_TRUE(report.findings.empty()) << report.findings[0].what;
  EXPECT_EQ(report.records, kEndOfJanuary + 600);
  // What was moved is all that its own checkpoint covers.
  EXPECT_TRUE(verify(overlay({&worm, &worm}, "segment/2027-01/")).findings.empty());
  // And it is looked at: a record changed over there, and one that is missing.
  auto changed = worm;
  changed["tile/entries/003"][200] ^= 1;
  EXPECT_EQ(verify(overlay({&disk.files, &changed})).findings.front().fault, Fault::kFlipped);
  changed = worm;
  changed.erase("tile/entries/003");
  EXPECT_EQ(verify(overlay({&disk.files, &changed})).findings.front().fault, Fault::kMissing);
}

// Whatever step of closing fails, in this process or the next one: no event of a month is published
// before the month before it is closed, and in the end each is, once.
TEST_F(Months, EveryStepOfClosingMayFail) {
  MemoryFiles before;
  std::swap(before, disk);
  ASSERT_TRUE(publish_to(kEndOfNovember - 3));
  std::swap(before, disk);
  for (int failing = 0;; ++failing) {
    disk.files = before.files;
    disk.chance.seed(static_cast<unsigned>(failing));
    const int began = disk.steps();
    disk.fail_at(failing);
    std::string closed;
    for (int tries = 0; !publish_to(kEndOfDecember + 10); ++tries) {
      ASSERT_LT(tries, 3);
      const auto now = parse_checkpoint_text(disk.files.at("checkpoint"));
      if (now->size > kEndOfNovember) {
        ASSERT_TRUE(disk.files.contains("segment/2026-11/checkpoint")) << failing;
      }
      if (disk.files.contains("segment/2026-11/checkpoint")) {
        const std::string text = disk.files.at("segment/2026-11/checkpoint");
        ASSERT_TRUE(closed.empty() || closed == text);
        closed = text;
      }
    }
    ASSERT_TRUE(verify(disk.reader()).findings.empty()) << failing;
    for (const char* month : {"2026-11", "2026-12"}) {
      const std::string folder = "segment/" + std::string(month) + "/";
      const auto report = verify(overlay({&disk.files, &disk.files}, folder));
      ASSERT_TRUE(report.findings.empty()) << failing << ": " << report.findings[0].what;
    }
    EXPECT_EQ(parse_manifest(disk.files.at("segment/2026-12/manifest"))->first, kEndOfNovember);
    if (disk.steps() - began <= failing) break;
  }
}

TEST_F(Months, AManifestNamesAllThatIsComplete) {
  ASSERT_TRUE(publish_to(kEndOfJanuary + 1));
  std::set<std::string> named;
  for (const char* month : {"2026-11", "2026-12", "2027-01"}) {
    for (const std::string& path : files_of(month)) {
      EXPECT_TRUE(disk.files.contains(path)) << path;
      EXPECT_TRUE(named.insert(path).second) << path << " twice";
    }
  }
  for (const auto& [path, bytes] : disk.files) {
    const bool partial = path.find(".p/") != std::string::npos;
    if (path == "checkpoint" || path == "segment/latest" || partial) continue;
    EXPECT_TRUE(named.contains(path)) << path;
  }
}

TEST_F(Months, BadManifestsAreNone) {
  const std::string good = manifest_text({"a.example/log", "2026-11", "", 0, 700});
  ASSERT_TRUE(parse_manifest(good));
  for (const char* bad : {"", "cardvault log segment v1\n", "cardvault log segment v2\nlog: a\n",
                          "cardvault log segment v1\nlog: a\nmonth: ../../x\nprevious: \n"
                          "first event: 0\nsize of the log: 7\n",
                          "cardvault log segment v1\nlog: a\nmonth: 2026-11\nprevious: \n"
                          "first event: 8\nsize of the log: 7\n"}) {
    EXPECT_FALSE(parse_manifest(bad)) << bad;
  }
  EXPECT_FALSE(parse_manifest(good.substr(0, 60)));
}

TEST(MonthOf, IsReadFromTheLineOrTheTime) {
  EXPECT_EQ(month_of(hourly(0)), "2026-11");
  EXPECT_EQ(month_of(hourly(kEndOfNovember - 1)), "2026-11");
  EXPECT_EQ(month_of(hourly(kEndOfNovember)), "2026-12");
  EXPECT_EQ(month_of(kNovember - 1), "2026-10");
  EXPECT_EQ(month_of("{\"seq\":1}"), "");
  EXPECT_EQ(month_of("{\"seq\":1,\"time\":\"2026"), "");
}

}  // namespace
}  // namespace cardvault::audit
