#include "vault/audit/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/audit/memory_log.h"

namespace cardvault::audit {
namespace {

// 70,000 records: 273 full bundles and one of 112, tiles of three levels.
constexpr std::uint64_t kSize = 70'000;

class Verify : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    key_ = new TestKey;
    good_ = new std::map<std::string, std::string>(TestLog(kSize, *key_).files);
  }
  static void TearDownTestSuite() {
    delete good_;
    delete key_;
  }
  Verify() { log.files = *good_; }

  // What the first finding is, as "flipped 17 tile/entries/000"; "verified".
  std::string first() {
    const auto report = log.verify();
    if (report.findings.empty()) return "verified";
    const Finding& finding = report.findings[0];
    EXPECT_FALSE(finding.what.empty());
    return std::string(fault_name(finding.fault)) + " " +
           (finding.record == kNoRecord ? "?" : std::to_string(finding.record)) + " " +
           finding.file;
  }
  void edit(std::uint64_t bundle, const std::function<void(std::vector<std::string>&)>& change,
            std::uint64_t width = kTileWidth) {
    auto entries = log.entries(bundle, width);
    change(entries);
    log.put_entries(bundle_path(bundle, width), entries);
  }
  // From here on every bundle is written again: what was taken out or put in moves all the rest.
  void shift(std::uint64_t from, const std::function<void(std::vector<std::string>&)>& change) {
    std::vector<std::string> all;
    for (std::uint64_t bundle = from; bundle <= 273; ++bundle) {
      const auto entries = log.entries(bundle, bundle == 273 ? 112 : 256);
      all.insert(all.end(), entries.begin(), entries.end());
    }
    change(all);
    for (std::uint64_t bundle = from; bundle <= 273; ++bundle) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>((bundle - from) * 256);
      const auto end = bundle == 273 ? all.end() : begin + 256;
      log.put_entries(bundle_path(bundle, bundle == 273 ? 112 : 256), {begin, end});
    }
  }

  static TestKey* key_;
  static std::map<std::string, std::string>* good_;
  TestLog log{1, *key_};
};
TestKey* Verify::key_ = nullptr;
std::map<std::string, std::string>* Verify::good_ = nullptr;

TEST_F(Verify, AGoodLogVerifies) {
  for (const unsigned threads : {1U, 3U}) {
    const auto report = log.verify({}, threads);
    EXPECT_TRUE(report.findings.empty());
    EXPECT_EQ(report.records, kSize);
    EXPECT_EQ(report.checkpoint.origin, "vault.example/log");
    EXPECT_EQ(report.first_ms, 1'795'000'000'000);
    EXPECT_EQ(report.last_ms, 1'795'000'000'000 + 69'999 * 60'000LL);
  }
}

TEST_F(Verify, SmallLogsVerify) {
  for (const std::uint64_t size : {1, 2, 255, 256, 257, 511, 512, 65'535, 65'536, 65'537}) {
    TestLog small(size, *key_);
    EXPECT_TRUE(small.verify().findings.empty()) << size;
  }
}

TEST_F(Verify, NamesAChangedRecord) {
  edit(5, [](auto& entries) { entries[17].back() ^= 1; });
  EXPECT_EQ(first(), "flipped 1297 tile/entries/005");
  log.files = *good_;
  edit(5, [](auto& entries) { entries[255][0] ^= 0x20; });
  EXPECT_EQ(first(), "flipped 1535 tile/entries/005");
  log.files = *good_;
  edit(273, [](auto& entries) { entries[111].insert(5, "9"); }, 112);
  EXPECT_EQ(first(), "flipped 69999 tile/entries/273.p/112");
}

TEST_F(Verify, TellsTheByteOfTheRecord) {
  auto& bytes = log.files["tile/entries/000"];
  bytes[2 + event_line(0).size() + 2 + 10] ^= 4;
  const auto report = log.verify();
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].record, 1U);
  EXPECT_EQ(report.findings[0].offset, 2 + event_line(0).size());
}

TEST_F(Verify, NamesAChangedLength) {
  const std::size_t second = 2 + event_line(1280).size();
  for (const std::size_t byte : {second, second + 1}) {
    for (const int bit : {0, 3, 7}) {
      log.files["tile/entries/005"][byte] ^= static_cast<char>(1 << bit);
      EXPECT_EQ(first(), "flipped 1281 tile/entries/005") << byte << " " << bit;
      log.files = *good_;
    }
  }
}

TEST_F(Verify, NamesSeveralChangedRecords) {
  edit(2, [](auto& entries) {
    for (std::size_t i = 10; i < 15; ++i) entries[i][30] ^= 1;
  });
  EXPECT_EQ(first(), "flipped 522 tile/entries/002");
}

TEST_F(Verify, NamesATakenOutRecord) {
  for (const std::size_t at : {0, 1, 100, 254}) {
    edit(7, [&](auto& entries) { entries.erase(entries.begin() + static_cast<long>(at)); });
    EXPECT_EQ(first(), "missing " + std::to_string(7 * 256 + at) + " tile/entries/007");
    log.files = *good_;
    shift(7, [&](auto& entries) { entries.erase(entries.begin() + static_cast<long>(at)); });
    EXPECT_EQ(first(), "missing " + std::to_string(7 * 256 + at) + " tile/entries/007");
    log.files = *good_;
  }
  shift(7, [](auto& entries) { entries.erase(entries.begin() + 255); });
  EXPECT_EQ(first(), "missing 2047 tile/entries/007");
  log.files = *good_;
  edit(7, [](auto& entries) { entries.erase(entries.begin() + 20, entries.begin() + 60); });
  EXPECT_EQ(first(), "missing 1812 tile/entries/007");
}

TEST_F(Verify, NamesAPutInRecord) {
  const std::string made_up = event_line(kSize + 5);
  for (const std::size_t at : {0, 1, 100, 255}) {
    for (const std::string& what :
         {made_up, event_line(3), event_line(7 * 256 + 120), event_line(7 * 256)}) {
      edit(7,
           [&](auto& entries) { entries.insert(entries.begin() + static_cast<long>(at), what); });
      const std::string expected = "inserted " + std::to_string(7 * 256 + at) + " tile/entries/007";
      // A copy right after its original: the second of both may be called the inserted one.
      if (what == event_line(7 * 256) && at <= 1) {
        EXPECT_EQ(first(), "inserted 1793 tile/entries/007");
      } else {
        EXPECT_EQ(first(), expected) << what;
      }
      log.files = *good_;
    }
  }
  shift(7, [&](auto& entries) { entries.insert(entries.begin() + 40, made_up); });
  EXPECT_EQ(first(), "inserted 1832 tile/entries/007");
  log.files = *good_;
  edit(7, [&](auto& entries) { entries.push_back(made_up); });
  EXPECT_EQ(first(), "inserted 2048 tile/entries/007");
  log.files = *good_;
  edit(7, [&](auto& entries) { entries.insert(entries.begin() + 9, 3, made_up); });
  EXPECT_EQ(first(), "inserted 1801 tile/entries/007");
}

TEST_F(Verify, NamesRecordsInAnotherOrder) {
  edit(4, [](auto& entries) { std::swap(entries[3], entries[4]); });
  EXPECT_EQ(first(), "reordered 1027 tile/entries/004");
  log.files = *good_;
  edit(4, [](auto& entries) {
    std::rotate(entries.begin() + 3, entries.begin() + 4, entries.begin() + 90);
  });
  EXPECT_EQ(first(), "reordered 1027 tile/entries/004");
  log.files = *good_;
  edit(4, [](auto& entries) { entries[9] = event_line(200 * 256 + 6); });
  edit(200, [](auto& entries) { entries[6] = event_line(4 * 256 + 9); });
  EXPECT_EQ(first(), "reordered 1033 tile/entries/004");
  log.files = *good_;
  std::swap(log.files["tile/entries/004"], log.files["tile/entries/250"]);
  EXPECT_EQ(first(), "reordered 1024 tile/entries/004");
}

TEST_F(Verify, NamesARecordThatStandsTwice) {
  edit(4, [](auto& entries) { entries[9] = entries[30]; });
  EXPECT_EQ(first(), "duplicated 1033 tile/entries/004");
  log.files = *good_;
  edit(4, [](auto& entries) { entries[9] = entries[8]; });
  EXPECT_EQ(first(), "duplicated 1033 tile/entries/004");
  log.files = *good_;
  edit(4, [](auto& entries) { entries[9] = entries[10]; });
  EXPECT_EQ(first(), "duplicated 1033 tile/entries/004");
  log.files = *good_;
  edit(4, [](auto& entries) { entries[255] = entries[3]; });
  EXPECT_EQ(first(), "duplicated 1279 tile/entries/004");
  log.files = *good_;
  edit(4, [](auto& entries) { entries[9] = event_line(60'000); });
  EXPECT_EQ(first(), "duplicated 1033 tile/entries/004");
  log.files = *good_;
  log.files["tile/entries/004"] = log.files["tile/entries/250"];
  EXPECT_EQ(first(), "duplicated 1024 tile/entries/004");
}

TEST_F(Verify, NamesACutFile) {
  const std::string name = "tile/entries/009";
  const auto size = log.files[name].size();
  const std::string last = std::to_string(9 * 256 + 255);
  for (const std::size_t cut : {std::size_t{1}, event_line(2559).size(),
                                event_line(2559).size() + 1, event_line(2559).size() + 2}) {
    log.files[name].resize(size - cut);
    EXPECT_EQ(first(), "truncated " + last + " tile/entries/009") << cut;
    log.files = *good_;
  }
  log.files[name].clear();
  EXPECT_EQ(first(), "truncated 2304 tile/entries/009");
}

TEST_F(Verify, NamesAMissingFile) {
  log.files.erase("tile/entries/009");
  EXPECT_EQ(first(), "missing 2304 tile/entries/009");
  log.files = *good_;
  log.files.erase("tile/entries/273.p/112");
  EXPECT_EQ(first(), "truncated 69888 tile/entries/273.p/112");
}

TEST_F(Verify, NamesACutOffLog) {
  std::erase_if(log.files, [](const auto& file) {
    return file.first > "tile/entries/120" && file.first.starts_with("tile/entries/");
  });
  EXPECT_EQ(first(), "truncated 30976 tile/entries/121");
  std::erase_if(log.files, [](const auto& file) {
    return (file.first > "tile/0/120" && file.first < "tile/1") ||
           file.first == "tile/1/001.p/17" || file.first.starts_with("tile/2");
  });
  EXPECT_EQ(first(), "truncated 30976 tile/entries/121");
}

TEST_F(Verify, NamesAChangedHashTile) {
  log.files["tile/0/030"][32 * 8 + 5] ^= 1;
  EXPECT_EQ(first(), "flipped 7688 tile/0/030");
  log.files = *good_;
  log.files["tile/0/273.p/112"][32 * 8 + 5] ^= 1;
  EXPECT_EQ(first(), "flipped 69896 tile/0/273.p/112");
  log.files = *good_;
  log.files["tile/1/000"][32 * 8] ^= 1;
  EXPECT_EQ(first(), "flipped 2048 tile/1/000");
  log.files = *good_;
  log.files["tile/1/001.p/17"][32] ^= 1;
  EXPECT_EQ(first(), "flipped 65792 tile/1/001.p/17");
  log.files = *good_;
  log.files["tile/2/000.p/1"][3] ^= 1;
  EXPECT_EQ(first(), "flipped 0 tile/2/000.p/1");
}

TEST_F(Verify, NamesEveryOtherChangeOfAHashTile) {
  log.files["tile/0/030"].resize(8000);
  EXPECT_EQ(first(), "truncated 7930 tile/0/030");
  log.files = *good_;
  log.files["tile/0/030"].resize(8001);
  EXPECT_EQ(first(), "truncated 7930 tile/0/030");
  log.files = *good_;
  log.files["tile/0/030"].erase(64, 32);
  EXPECT_EQ(first(), "missing 7682 tile/0/030");
  log.files = *good_;
  log.files["tile/0/030"] += "more";
  EXPECT_EQ(first(), "inserted 7936 tile/0/030");
  log.files = *good_;
  log.files.erase("tile/0/030");
  EXPECT_EQ(first(), "missing 7680 tile/0/030");
  log.files = *good_;
  log.files.erase("tile/1/000");
  EXPECT_EQ(first(), "missing 0 tile/1/000");
  log.files = *good_;
  std::swap(log.files["tile/0/030"], log.files["tile/0/271"]);
  EXPECT_EQ(first(), "reordered 7680 tile/0/030");
  log.files = *good_;
  log.files["tile/0/030"] = log.files["tile/0/031"];
  EXPECT_EQ(first(), "duplicated 7680 tile/0/030");
  log.files = *good_;
  std::rotate(log.files["tile/0/030"].begin(), log.files["tile/0/030"].begin() + 32,
              log.files["tile/0/030"].end());
  EXPECT_EQ(first(), "reordered 7680 tile/0/030");
}

TEST_F(Verify, TilesAndRecordsChangedTogetherAreFoundByTheTileAbove) {
  edit(5, [](auto& entries) { entries[17].back() ^= 1; });
  auto tile = read_tile(log.files["tile/0/005"]).value();
  tile[17] = leaf_hash(log.entries(5, 256)[17]);
  log.files["tile/0/005"] = tile_bytes(tile);
  EXPECT_EQ(first(), "rewritten 1297 tile/entries/005");  // it is no event any more
  log.files = *good_;
  edit(5, [](auto& entries) { entries[17].replace(entries[17].find("web"), 3, "bew"); });
  tile[17] = leaf_hash(log.entries(5, 256)[17]);
  log.files["tile/0/005"] = tile_bytes(tile);
  EXPECT_EQ(first(), "rewritten 1280 tile/0/005");
}

TEST_F(Verify, ARewrittenLogIsFoundByItsCheckpoint) {
  auto entries = event_lines(0, kSize);
  entries[1000].replace(entries[1000].find("web"), 3, "bew");
  log.rewrite(entries);
  EXPECT_EQ(first(), "rewritten ? checkpoint");
  // Where events say their numbers, even that tells which.
  entries = event_lines(0, kSize + 1);
  entries.erase(entries.begin() + 1000);
  log.rewrite(entries);
  EXPECT_EQ(first(), "missing 1000 tile/entries/003");
  entries = event_lines(0, kSize - 1);
  entries.insert(entries.begin() + 1000, event_line(7));
  log.rewrite(entries);
  EXPECT_THAT(first(), testing::StartsWith("inserted 1000"));
}

TEST_F(Verify, DamageInTwoPlacesIsToldApart) {
  edit(5, [](auto& entries) { entries[17].back() ^= 1; });
  log.files["tile/0/005"][32 * 200] ^= 1;
  log.files["tile/1/000"][32 * 7] ^= 1;
  const auto report = log.verify();
  ASSERT_EQ(report.findings.size(), 3U);
  EXPECT_EQ(report.findings[0].record, 1297U);
  EXPECT_EQ(report.findings[1].file, "tile/0/005");
  EXPECT_EQ(report.findings[1].record, 1480U);
  EXPECT_EQ(report.findings[2].file, "tile/1/000");
  EXPECT_EQ(report.findings[2].record, 1792U);
}

TEST_F(Verify, EveryBundleMayBeDamaged) {
  for (auto& [path, bytes] : log.files) {
    if (path.starts_with("tile/entries/")) bytes[100] ^= 1;
  }
  const auto report = log.verify();
  EXPECT_EQ(report.findings.size(), 274U);
  EXPECT_EQ(first(), "flipped 0 tile/entries/000");
}

TEST_F(Verify, NamesAForgedOrForeignCheckpoint) {
  log.files["checkpoint"][21] ^= 1;  // in the size
  EXPECT_EQ(first(), "forged signature ? checkpoint");
  log.files["checkpoint"] = "vault.example/log\n1\n";
  EXPECT_EQ(first(), "forged signature ? checkpoint");
  log.files["checkpoint"].clear();
  EXPECT_EQ(first(), "forged signature ? checkpoint");
  TestKey other;
  TestLog foreign(300, other);
  log.files = foreign.files;
  EXPECT_EQ(first(), "foreign log ? checkpoint");
  log.files["checkpoint"] =
      sign_checkpoint({"elsewhere.example", 5, {}}, key_->key, key_->sign).value();
  EXPECT_EQ(first(), "foreign log ? checkpoint");
  log.files.erase("checkpoint");
  EXPECT_THROW(static_cast<void>(log.verify()), base::StartupError);
}

TEST_F(Verify, HoldsTheLogAgainstItsPast) {
  TestLog small(300, *key_);
  const auto at_300 = small.files;
  const KeptCheckpoint old{"kept", small.files.at("checkpoint")};
  small.append(500);
  const KeptCheckpoint now{"kept", small.files.at("checkpoint")};
  EXPECT_TRUE(small.verify({old, now}).findings.empty());

  small.files = at_300;
  auto report = small.verify({now});
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].fault, Fault::kRolledBack);
  EXPECT_EQ(report.findings[0].record, 300U);

  // The vault's own key signs another past: what a thief of the HSM could do.
  MemoryFiles forked;
  LogWriter forger(forked, {key_->key}, key_->sign);
  auto lines = event_lines(0, 800);
  std::swap(lines[10], lines[11]);
  ASSERT_TRUE(forger.publish(lines));
  small.files = forked.files;
  report = small.verify({old});
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings[0].fault, Fault::kMissing);  // the numbers tell
  lines = event_lines(0, 800);
  lines[10].replace(lines[10].find("web"), 3, "bew");
  MemoryFiles forked_well;
  LogWriter better(forked_well, {key_->key}, key_->sign);
  ASSERT_TRUE(better.publish(lines));
  small.files = forked_well.files;
  EXPECT_TRUE(small.verify().findings.empty());
  report = small.verify({old});
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].fault, Fault::kRolledBack);

  TestKey other;
  TestLog foreign(3, other);
  EXPECT_THROW(static_cast<void>(small.verify({{"kept", foreign.files.at("checkpoint")}})),
               base::StartupError);
}

TEST_F(Verify, ALogBeingWrittenVerifiesAsOfItsCheckpoint) {
  TestLog small(300, *key_);
  const std::string checkpoint = small.files.at("checkpoint");
  small.append(700);
  small.files["checkpoint"] = checkpoint;  // what the verifier had read before
  EXPECT_TRUE(small.verify().findings.empty());
  EXPECT_FALSE(small.files.contains("tile/entries/001.p/44"));  // it went by the full file
  small.files["tile/entries/001"][60] ^= 1;
  EXPECT_EQ(small.verify().findings[0].record, 256U);
}

TEST_F(Verify, RefusesEventsThatAVaultDoesNotWrite) {
  MemoryFiles disk;
  LogWriter writer(disk, {key_->key}, key_->sign);
  auto lines = event_lines(0, 600);
  lines[500] = R"({"seq":500})";
  ASSERT_TRUE(writer.publish(lines));
  log.files = disk.files;
  EXPECT_EQ(first(), "malformed 500 tile/entries/001");
}

TEST_F(Verify, TimeNeverGoesBack) {
  const auto with_time_of = [](std::uint64_t number, std::uint64_t other) {
    std::string line = event_line(number);
    return line.replace(line.find("time\":\"") + 7, 24,
                        event_line(other).substr(event_line(other).find("time\":\"") + 7, 24));
  };
  for (const std::uint64_t at : {100, 256, 8192 + 0, 8192 + 5}) {
    MemoryFiles disk;
    LogWriter writer(disk, {key_->key}, key_->sign);
    auto lines = event_lines(0, 9000);
    lines[at] = with_time_of(at, at - 2);
    ASSERT_TRUE(writer.publish(lines));
    log.files = disk.files;
    EXPECT_THAT(first(), testing::StartsWith("malformed " + std::to_string(at) + " ")) << at;
  }
}

TEST_F(Verify, AFileThatCannotBeReadIsNoVerdict) {
  const ReadFile broken = [&](const std::string& path) -> base::Result<std::optional<std::string>> {
    if (path == "tile/entries/100") return base::fail(base::Code::kStoreFailed, "read", 5);
    return log.disk.read(path);
  };
  EXPECT_THROW(static_cast<void>(verify_log(broken, key_->key, {}, {.threads = 2, .progress = {}})),
               base::StartupError);
}

TEST_F(Verify, ShowsItsProgress) {
  std::uint64_t last = 0;
  const auto report =
      verify_log(log.disk.reader(), key_->key, {},
                 {.threads = 2, .progress = [&](std::uint64_t done, std::uint64_t all) {
                    EXPECT_GE(done, last);
                    EXPECT_EQ(all, kSize);
                    last = done;
                  }});
  EXPECT_EQ(last, kSize);
}

}  // namespace
}  // namespace cardvault::audit
