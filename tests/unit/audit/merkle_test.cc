#include "vault/audit/merkle.h"

#include <gtest/gtest.h>

#include "tests/unit/audit/reference_tree.h"
#include "vault/audit/tile_tree.h"

namespace cardvault::audit {
namespace {

// The inputs and roots that certificate-transparency's own tests use (transparency-dev/merkle,
// testonly/constants.go).
const std::vector<std::string> kInputs = {
    "",
    std::string("\x00", 1),
    "\x10",
    "\x20\x21",
    "\x30\x31",
    "\x40\x41\x42\x43",
    "\x50\x51\x52\x53\x54\x55\x56\x57",
    "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"};
constexpr const char* kRoots[] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

TEST(Merkle, HashesAsRfc6962Does) {
  EXPECT_EQ(hex(empty_root()), kRoots[0]);
  EXPECT_EQ(hex(leaf_hash("")), kRoots[1]);
  EXPECT_EQ(hex(node_hash(leaf_hash(kInputs[0]), leaf_hash(kInputs[1]))), kRoots[2]);
}

TEST(Merkle, HasTheKnownRoots) {
  TileTree tree;
  std::vector<LogFile> files;
  EXPECT_EQ(hex(tree.root()), kRoots[0]);
  for (std::size_t i = 0; i < kInputs.size(); ++i) {
    tree.add(kInputs[i], files);
    EXPECT_EQ(hex(tree.root()), kRoots[i + 1]) << i + 1;
  }
}

TEST(Merkle, JoinsPartsOfAnyWidthLikeTheDefinition) {
  const ReferenceTree tree(300);
  for (const std::size_t width : {1U, 2U, 3U, 5U, 64U, 100U, 255U, 256U}) {
    EXPECT_EQ(join(std::span(tree.leaves()).first(width)), tree.root(0, width)) << width;
  }
  // 256 leaves, and 44 more to the right.
  const Hash left = tree.root(0, 256), right = tree.root(256, 300);
  EXPECT_EQ(join(std::span(&left, 1), &right), tree.root(0, 300));
}

TEST(TileTree, HasTheRootOfTheDefinitionAcrossTiles) {
  const ReferenceTree reference(70'000);
  TileTree tree;
  std::vector<LogFile> files;
  for (std::uint64_t size = 1; size <= 70'000; ++size) {
    tree.add(entry(size - 1), files);
    if (size % 9973 == 0 || size == 255 || size == 256 || size == 257 || size == 65'536) {
      EXPECT_EQ(tree.root(), reference.root(0, size)) << size;
    }
  }
  EXPECT_EQ(tree.root(), reference.root(0, 70'000));
}

}  // namespace
}  // namespace cardvault::audit
