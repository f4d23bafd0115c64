#include "vault/audit/tile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/unit/audit/reference_tree.h"
#include "vault/audit/tile_tree.h"

namespace cardvault::audit {
namespace {

TEST(TilePath, IsThatOfTheSpecification) {
  const struct {
    std::string path, expected;
  } kCases[] = {
      {tile_path(0, 0, 256), "tile/0/000"},
      {tile_path(0, 999, 256), "tile/0/999"},
      {tile_path(0, 1000, 256), "tile/0/x001/000"},
      {tile_path(3, 1234067, 256), "tile/3/x001/x234/067"},
      {tile_path(1, 0, 17), "tile/1/000.p/17"},
      {tile_path(0, 273, 112), "tile/0/273.p/112"},
      {bundle_path(1234067, 256), "tile/entries/x001/x234/067"},
      {bundle_path(5, 1), "tile/entries/005.p/1"},
      {tile_path(0, 72057594037927935, 255), "tile/0/x072/x057/x594/x037/x927/935.p/255"},
  };
  for (const auto& one : kCases) EXPECT_EQ(one.path, one.expected);
}

TEST(LogPath, IsOfALogAndSpelledInTheOneWay) {
  for (const std::string& path :
       {std::string("checkpoint"), tile_path(0, 0, 256), tile_path(7, 12, 1),
        tile_path(0, 72057594037927935, 255), bundle_path(1234067, 256), bundle_path(0, 255)}) {
    EXPECT_TRUE(is_log_path(path)) << path;
  }
  for (const char* path : {"",
                           "/",
                           ".",
                           "..",
                           "/checkpoint",
                           "checkpoint/",
                           "checkpoint.new",
                           "Checkpoint",
                           "tile",
                           "tile/",
                           "tile/0",
                           "tile/0/",
                           "tile/0/0",
                           "tile/0/00",
                           "tile/0/0000",
                           "tile/0/001/",
                           "tile/0//001",
                           "tile//001",
                           "tile/8/000",
                           "tile/00/000",
                           "tile/+0/000",
                           "tile/-1/000",
                           "tile/0/x001",
                           "tile/0/x000/001",
                           "tile/0/001/000",
                           "tile/0/x001/x000",
                           "tile/0/x1/000",
                           "tile/0/../0/000",
                           "tile/0/./000",
                           "tile/0/000.p",
                           "tile/0/000.p/",
                           "tile/0/000.p/0",
                           "tile/0/000.p/256",
                           "tile/0/000.p/01",
                           "tile/0/000.p/1/",
                           "tile/0/000.p/1.p/1",
                           "tile/0/000.p/../../../checkpoint",
                           "tile/entries",
                           "tile/entries/",
                           "tile/entries/0",
                           "tile/data/000",
                           "tile/0/x99/x999/x999/x999/x999/x999/x999/999",
                           "tile/0/x018/x446/x744/x073/x709/x551/616",
                           "entries/000",
                           "../audit/checkpoint"}) {
    EXPECT_FALSE(is_log_path(path)) << path;
  }
  EXPECT_FALSE(is_log_path(std::string_view("tile/0/000\0", 11)));
  EXPECT_FALSE(is_log_path(std::string("tile/0/") + std::string(100'000, '0')));
}

TEST(Bundle, GivesBackItsEntriesWithTheirPlaces) {
  const std::vector<std::string> entries = {"", "a", std::string(0x101, 'b'),
                                            std::string(kMaxEntryBytes, 'c')};
  std::string bundle;
  for (const auto& one : entries) append_entry(bundle, one);
  EXPECT_EQ(bundle.substr(0, 5), std::string("\0\0\0\1a", 5));  // big-endian lengths
  BundleReader reader(bundle);
  std::size_t offset = 0;
  for (const auto& one : entries) {
    EXPECT_EQ(reader.offset(), offset);
    EXPECT_EQ(reader.next(), one);
    offset += 2 + one.size();
  }
  EXPECT_TRUE(reader.at_end());
  EXPECT_EQ(reader.next(), std::nullopt);
}

TEST(Bundle, EndsWhereTheRestIsTooShort) {
  std::string bundle;
  append_entry(bundle, "first");
  append_entry(bundle, "second");
  for (std::size_t cut = 8; cut < bundle.size(); ++cut) {
    BundleReader reader(std::string_view(bundle).substr(0, cut));
    EXPECT_EQ(reader.next(), "first");
    EXPECT_EQ(reader.next(), std::nullopt) << cut;
    EXPECT_FALSE(reader.at_end());
    EXPECT_EQ(reader.offset(), 7U);
  }
}

// The specification's example: "a tree of size 70,000 will be represented by …".
TEST(TileTree, MakesTheFilesOfTheSpecificationsExample) {
  TileTree tree;
  std::vector<LogFile> files;
  for (std::uint64_t i = 0; i < 70'000; ++i) tree.add(entry(i), files);
  tree.append_partials(0, files);
  std::map<std::string, std::string> by_path;
  for (LogFile& file : files) EXPECT_TRUE(by_path.emplace(file.path, file.bytes).second);
  const auto count = [&](const std::string& prefix) {
    return std::ranges::count_if(by_path,
                                 [&](const auto& one) { return one.first.starts_with(prefix); });
  };
  EXPECT_EQ(count("tile/0/"), 274);
  EXPECT_EQ(count("tile/1/"), 2);
  EXPECT_EQ(count("tile/2/"), 1);
  EXPECT_EQ(count("tile/entries/"), 274);
  EXPECT_EQ(by_path.size(), 274U + 2 + 1 + 274);
  EXPECT_EQ(by_path.at("tile/0/272").size(), 8192U);
  EXPECT_EQ(by_path.at("tile/0/273.p/112").size(), 112U * 32);
  EXPECT_EQ(by_path.at("tile/1/000").size(), 8192U);
  EXPECT_EQ(by_path.at("tile/1/001.p/17").size(), 17U * 32);
  EXPECT_EQ(by_path.at("tile/2/000.p/1").size(), 32U);

  const ReferenceTree reference(70'000);
  EXPECT_EQ(read_tile(by_path.at("tile/0/001")).value()[3], reference.leaves()[259]);
  EXPECT_EQ(read_tile(by_path.at("tile/1/001.p/17")).value()[16],
            reference.root(std::uint64_t{272} * 256, std::uint64_t{273} * 256));
  EXPECT_EQ(read_tile(by_path.at("tile/2/000.p/1")).value()[0], reference.root(0, 65'536));
}

TEST(TileTree, WritesOnlyThePartialTilesThatChanged) {
  TileTree tree;
  std::vector<LogFile> files;
  for (std::uint64_t i = 0; i < 600; ++i) tree.add(entry(i), files);
  files.clear();
  tree.append_partials(599, files);
  ASSERT_EQ(files.size(), 2U);  // level 1 is as it was
  EXPECT_EQ(files[0].path, "tile/0/002.p/88");
  EXPECT_EQ(files[1].path, "tile/entries/002.p/88");
  files.clear();
  tree.append_partials(600, files);
  EXPECT_TRUE(files.empty());
}

TEST(TileReader, FindsEveryNodeAndEntry) {
  constexpr std::uint64_t kSize = 66'000;
  TileTree tree;
  std::vector<LogFile> files;
  for (std::uint64_t i = 0; i < kSize; ++i) tree.add(entry(i), files);
  tree.append_partials(0, files);
  std::map<std::string, std::string> by_path;
  for (LogFile& file : files) by_path.emplace(file.path, file.bytes);
  TileReader reader(
      [&](const std::string& path) -> base::Result<std::optional<std::string>> {
        const auto found = by_path.find(path);
        return found == by_path.end() ? std::nullopt : std::optional(found->second);
      },
      kSize);
  const ReferenceTree reference(kSize);
  EXPECT_EQ(root_of(kSize, reader.nodes()).value(), reference.root(0, kSize));
  EXPECT_EQ(reader.node(10, 63).value(), reference.root(64'512, 65'536));
  for (const std::uint64_t i : {0ULL, 255ULL, 256ULL, 65'535ULL, 65'999ULL}) {
    EXPECT_EQ(reader.entry(i).value(), entry(i));
    const auto proof = inclusion_proof(i, kSize, reader.nodes()).value();
    EXPECT_TRUE(verify_inclusion(reference.leaves()[i], i, kSize, proof, reference.root(0, kSize)));
  }
  by_path.erase("tile/0/003");
  EXPECT_EQ(reader.tile(0, 3).error().code, base::Code::kNotFound);
  by_path["tile/0/003"] = "short";
  EXPECT_EQ(reader.tile(0, 3).error().code, base::Code::kRecordDamaged);
}

TEST(TileReader, ReadsTheBeginningOfAFullerFile) {
  TileTree tree;
  std::vector<LogFile> files;
  for (std::uint64_t i = 0; i < 256; ++i) tree.add(entry(i), files);
  const TileReader reader(
      [&](const std::string& path) -> base::Result<std::optional<std::string>> {
        for (const LogFile& file : files) {
          if (file.path == path) return file.bytes;
        }
        return std::nullopt;
      },
      100);
  EXPECT_EQ(reader.tile(0, 0).value().size(), 100U);
  EXPECT_EQ(reader.entry(99).value(), entry(99));
  const auto loaded = TileTree::load(reader);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->root(), ReferenceTree(100).root(0, 100));
}

}  // namespace
}  // namespace cardvault::audit
