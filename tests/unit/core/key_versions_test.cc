#include "vault/core/key_versions.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace cardvault::core {
namespace {

std::vector<std::uint32_t> earlier(const KeyVersions& versions) {
  return {versions.earlier().begin(), versions.earlier().end()};
}

TEST(ActiveKeys, NewRecordsUseTheActiveOneAndLookUpsTheOthersToo) {
  ActiveKeys keys;
  keys.set({KeyPurpose::kPanIndex, 1});
  EXPECT_TRUE(earlier(keys.usable(KeyPurpose::kPanIndex)).empty());
  const std::uint32_t before[] = {2, 1};
  keys.set({KeyPurpose::kPanIndex, 3}, before);
  EXPECT_EQ(keys.get(KeyPurpose::kPanIndex), (KeyRef{KeyPurpose::kPanIndex, 3}));
  EXPECT_EQ(keys.usable(KeyPurpose::kPanIndex).active(), 3U);
  EXPECT_EQ(earlier(keys.usable(KeyPurpose::kPanIndex)), (std::vector<std::uint32_t>{2, 1}));
  EXPECT_EQ(keys.get(KeyPurpose::kPanEnc).version, 0U) << "each purpose for itself";
  keys.set({KeyPurpose::kPanIndex, 3});
  EXPECT_TRUE(earlier(keys.usable(KeyPurpose::kPanIndex)).empty()) << "retired";
}

TEST(ActiveKeys, EveryChangeIsAnotherGeneration) {
  ActiveKeys keys;
  const auto first = keys.generation();
  keys.set({KeyPurpose::kOtpMac, 1});
  const auto second = keys.generation();
  EXPECT_NE(first, second);
  static_cast<void>(keys.usable(KeyPurpose::kOtpMac));
  EXPECT_EQ(keys.generation(), second);
}

TEST(ActiveKeys, NobodySeesAVersionWithoutTheOnesBeforeIt) {
  ActiveKeys keys;
  keys.set({KeyPurpose::kIdIndex, 1});
  std::atomic<bool> stop = false;
  std::atomic<int> torn = 0;
  std::jthread reader([&] {
    while (!stop) {
      const KeyVersions seen = keys.usable(KeyPurpose::kIdIndex);
      torn += seen.earlier().size() + 1 == std::min(seen.active(), 8U) ? 0 : 1;
    }
  });
  std::vector<std::uint32_t> before;
  for (std::uint32_t version = 2; version <= 8; ++version) {
    before.insert(before.begin(), version - 1);
    for (int i = 0; i < 200; ++i) keys.set({KeyPurpose::kIdIndex, version}, before);
  }
  stop = true;
  reader.join();
  EXPECT_EQ(torn, 0);
}

}  // namespace
}  // namespace cardvault::core
