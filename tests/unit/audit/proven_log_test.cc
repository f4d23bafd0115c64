#include "vault/audit/proven_log.h"

#include <gtest/gtest.h>

#include "tests/unit/audit/memory_log.h"

namespace cardvault::audit {
namespace {

constexpr std::uint64_t kSize = 1000;  // three bundles and one of 232

struct ProvenLogTest : testing::Test {
  // What a bundle gives, or that it refuses.
  std::vector<std::string> read(std::uint64_t bundle) {
    const auto opened = open_checkpoint(log.files["checkpoint"], key.key);
    EXPECT_EQ(opened.trust, Trust::kGood);
    ProvenLog proven(log.disk.reader(), opened.checkpoint);
    std::vector<std::string> found;
    proven.read_bundle(bundle, [&](std::uint64_t record, std::string_view entry) {
      EXPECT_EQ(record, bundle * kTileWidth + found.size());
      found.emplace_back(entry);
    });
    return found;
  }
  TestKey key;
  TestLog log{kSize, key};
};

TEST_F(ProvenLogTest, GivesWhatWasLogged) {
  for (std::uint64_t bundle = 0; bundle < 4; ++bundle) {
    EXPECT_EQ(read(bundle),
              event_lines(bundle * kTileWidth, std::min(kSize, (bundle + 1) * kTileWidth)));
  }
}

TEST_F(ProvenLogTest, RefusesAChangedRecordAndGivesTheOtherBundles) {
  for (const auto& [bundle, width] : {std::pair{1, 256}, std::pair{3, 232}}) {
    const auto number = static_cast<std::uint64_t>(bundle);
    const std::string path = bundle_path(number, static_cast<std::uint64_t>(width));
    const std::string good = log.files[path];
    log.files[path][good.size() / 2] ^= 1;
    EXPECT_THROW(static_cast<void>(read(number)), NotProven);
    EXPECT_EQ(read(0).size(), 256U);
    log.files[path] = good;
  }
}

TEST_F(ProvenLogTest, RefusesRecordsThatWereChangedTogetherWithTheirHashes) {
  auto entries = event_lines(0, kSize);
  entries[300] = event_line(301);
  log.rewrite(entries);
  for (std::uint64_t bundle = 0; bundle < 4; ++bundle) {
    EXPECT_THROW(static_cast<void>(read(bundle)), NotProven);
  }
}

TEST_F(ProvenLogTest, RefusesWhatIsMissing) {
  log.files.erase(bundle_path(2, 256));
  EXPECT_THROW(static_cast<void>(read(2)), NotProven);
  log.files.erase(tile_path(0, 1, 256));
  EXPECT_THROW(static_cast<void>(read(1)), NotProven);
}

TEST_F(ProvenLogTest, AnEmptyLogHasNoBundles) {
  ProvenLog empty([](const std::string&) { return std::nullopt; },
                  {.origin = "o", .size = 0, .root = empty_root()});
  EXPECT_EQ(empty.bundles(), 0U);
}

}  // namespace
}  // namespace cardvault::audit
