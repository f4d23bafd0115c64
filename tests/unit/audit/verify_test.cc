#include "vault/audit/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/audit/verified_log.h"

namespace cardvault::audit {
namespace {

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

}  // namespace
}  // namespace cardvault::audit
