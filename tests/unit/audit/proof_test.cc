#include "vault/audit/proof.h"

#include <gtest/gtest.h>

#include "tests/unit/audit/reference_tree.h"

namespace cardvault::audit {
namespace {

constexpr std::uint64_t kSizes = 70;

class Proofs : public testing::Test {
 protected:
  const ReferenceTree tree{kSizes};
  const NodeSource nodes = [this](unsigned level, std::uint64_t index) -> base::Result<Hash> {
    EXPECT_LE((index + 1) << level, size);
    return tree.root(index << level, (index + 1) << level);
  };
  std::uint64_t size = kSizes;  // no hash beyond may be asked for
};

TEST_F(Proofs, RootsAreThoseOfTheDefinition) {
  for (size = 0; size <= kSizes; ++size) {
    EXPECT_EQ(root_of(size, nodes).value(), tree.root(0, size)) << size;
  }
}

TEST_F(Proofs, InclusionIsThatOfTheDefinitionAndVerifies) {
  for (size = 1; size <= kSizes; ++size) {
    const Hash root = tree.root(0, size);
    for (std::uint64_t i = 0; i < size; ++i) {
      const auto proof = inclusion_proof(i, size, nodes).value();
      EXPECT_EQ(proof, tree.path(i, 0, size)) << i << " of " << size;
      EXPECT_TRUE(verify_inclusion(tree.leaves()[i], i, size, proof, root));
    }
  }
}

TEST_F(Proofs, InclusionRefusesEveryOtherClaim) {
  size = 37;
  const Hash root = tree.root(0, size);
  for (std::uint64_t i = 0; i < size; ++i) {
    const auto proof = inclusion_proof(i, size, nodes).value();
    for (std::uint64_t other = 0; other <= size; ++other) {
      EXPECT_EQ(verify_inclusion(tree.leaves()[i], other, size, proof, root), other == i);
    }
    EXPECT_FALSE(verify_inclusion(tree.leaves()[i], i, size, proof, tree.root(0, size - 1)));
    auto changed = proof;
    changed.front()[0] ^= 1;
    EXPECT_FALSE(verify_inclusion(tree.leaves()[i], i, size, changed, root));
    auto longer = proof;
    longer.push_back(root);
    EXPECT_FALSE(verify_inclusion(tree.leaves()[i], i, size, longer, root));
    EXPECT_FALSE(verify_inclusion(tree.leaves()[i], i, size,
                                  std::span(proof).first(proof.size() - 1), root));
  }
}

TEST_F(Proofs, ConsistencyIsThatOfTheDefinitionAndVerifies) {
  for (size = 1; size <= kSizes; ++size) {
    for (std::uint64_t old = 1; old <= size; ++old) {
      const auto proof = consistency_proof(old, size, nodes).value();
      EXPECT_EQ(proof, tree.subproof(old, 0, size, true)) << old << " in " << size;
      EXPECT_TRUE(verify_consistency(old, tree.root(0, old), size, tree.root(0, size), proof));
    }
    EXPECT_TRUE(verify_consistency(0, empty_root(), size, tree.root(0, size), {}));
  }
}

TEST_F(Proofs, ConsistencyRefusesEveryOtherPast) {
  const Hash root = tree.root(0, size);
  for (std::uint64_t old = 1; old < size; ++old) {
    const auto proof = consistency_proof(old, size, nodes).value();
    for (std::uint64_t other = 1; other < size; ++other) {
      EXPECT_EQ(verify_consistency(other, tree.root(0, old), size, root, proof), other == old);
    }
    Hash past = tree.root(0, old);
    past[31] ^= 0x80;
    EXPECT_FALSE(verify_consistency(old, past, size, root, proof));
    Hash present = root;
    present[0] ^= 1;
    EXPECT_FALSE(verify_consistency(old, tree.root(0, old), size, present, proof));
  }
  EXPECT_FALSE(verify_consistency(size, root, size - 1, tree.root(0, size - 1), {}));
  EXPECT_FALSE(verify_consistency(size, tree.root(0, size - 1), size, root, {}));
  EXPECT_FALSE(verify_consistency(0, root, size, root, {}));
}

TEST_F(Proofs, AHashThatCannotBeHadIsAnError) {
  const NodeSource broken = [](unsigned, std::uint64_t) -> base::Result<Hash> {
    return base::fail(base::Code::kNotFound, "test");
  };
  EXPECT_FALSE(root_of(5, broken));
  EXPECT_FALSE(inclusion_proof(3, 5, broken));
  EXPECT_FALSE(consistency_proof(3, 5, broken));
}

}  // namespace
}  // namespace cardvault::audit
