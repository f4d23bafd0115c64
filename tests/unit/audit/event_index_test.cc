#include "vault/audit/event_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace cardvault::audit {
namespace {

constexpr IndexKey kKey{1, 2, 3};
constexpr Hash kNode{9, 9, 9};

IndexReader::Read reading(const std::string& file) {
  return [&file](std::uint64_t offset, std::size_t size) {
    return offset > file.size() ? std::string() : file.substr(offset, size);
  };
}

TEST(EventIndex, FindsEveryBundleOfATermAndHardlyAnyOther) {
  std::mt19937 chance{7};
  std::map<std::string, std::set<unsigned>> model;
  IndexBuilder builder;
  for (int i = 0; i < 40'000; ++i) {
    const std::string term = "ttok_" + std::to_string(chance() % 9000);
    const auto bundle = static_cast<std::uint8_t>(chance());
    model[term].insert(bundle);
    builder.add(term, bundle);
  }
  const std::string file = builder.finish(kNode, kKey);
  const auto index = IndexReader::open(reading(file), kNode, kKey);
  ASSERT_TRUE(index);
  std::size_t beside = 0;
  for (const auto& [term, bundles] : model) {
    const auto found = index->bundles(term);
    ASSERT_TRUE(found);
    for (const unsigned bundle : bundles) EXPECT_TRUE(found->test(bundle)) << term;
    beside += found->count() - bundles.size();
  }
  EXPECT_LT(beside, 10U);
  EXPECT_TRUE(index->bundles("ttok_9001")->none());
}

TEST(EventIndex, OfOtherRecordsOrAnotherKeyIsNone) {
  IndexBuilder builder;
  builder.add("term", 3);
  const std::string file = builder.finish(kNode, kKey);
  EXPECT_TRUE(IndexReader::open(reading(file), kNode, kKey));
  EXPECT_FALSE(IndexReader::open(reading(file), Hash{8}, kKey));
  EXPECT_FALSE(IndexReader::open(reading(file), kNode, IndexKey{5}));
  EXPECT_FALSE(IndexReader::open(reading(""), kNode, kKey));
}

TEST(EventIndex, AChangedOrCutByteIsNoticedWhereItMatters) {
  IndexBuilder builder;
  builder.add("term", 3);
  const std::string file = builder.finish(kNode, kKey);
  // The only block with an entry is the file's end: every byte counts.
  for (std::size_t i = 0; i < file.size(); ++i) {
    std::string changed = file;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    const auto index = IndexReader::open(reading(changed), kNode, kKey);
    EXPECT_FALSE(index && index->bundles("term")) << i;
    const std::string cut = file.substr(0, i);
    const auto shorter = IndexReader::open(reading(cut), kNode, kKey);
    EXPECT_FALSE(shorter && shorter->bundles("term")) << i;
  }
}

TEST(EventIndex, ABlockOfAnotherTermCantTakeItsPlace) {
  IndexBuilder with, without;
  with.add("term", 3);
  without.add("term", 4);
  const std::string file = with.finish(kNode, kKey), other = without.finish(kNode, kKey);
  ASSERT_EQ(file.size(), other.size());
  const std::string spliced = file.substr(0, file.size() - 5) + other.substr(other.size() - 5);
  const auto index = IndexReader::open(reading(spliced), kNode, kKey);
  ASSERT_TRUE(index);
  EXPECT_FALSE(index->bundles("term"));
}

}  // namespace
}  // namespace cardvault::audit
