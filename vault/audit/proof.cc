#include "vault/audit/proof.h"

#include <bit>

#include "vault/base/check.h"

namespace cardvault::audit {
namespace {

// The largest power of two smaller than n, n > 1 (RFC 6962 section 2.1).
std::uint64_t split_point(std::uint64_t n) { return std::bit_floor(n - 1); }

// MTH(D[begin:end]), a part that a tree is split into.
base::Result<Hash> part_root(std::uint64_t begin, std::uint64_t end, const NodeSource& node) {
  const std::uint64_t n = end - begin;
  if (std::has_single_bit(n)) {
    const auto level = static_cast<unsigned>(std::countr_zero(n));
    return node(level, begin >> level);
  }
  const std::uint64_t middle = begin + split_point(n);
  const auto left = part_root(begin, middle, node);
  if (!left) return left;
  const auto right = part_root(middle, end, node);
  if (!right) return right;
  return node_hash(*left, *right);
}

// Appends MTH(D[begin:end]) after what a deeper part has appended.
base::Result<void> append_part(std::vector<Hash>& proof, std::uint64_t begin, std::uint64_t end,
                               const NodeSource& node) {
  const auto hash = part_root(begin, end, node);
  if (!hash) return std::unexpected(hash.error());
  proof.push_back(*hash);
  return {};
}

base::Result<void> append_path(std::vector<Hash>& proof, std::uint64_t index, std::uint64_t begin,
                               std::uint64_t end, const NodeSource& node) {
  if (end - begin == 1) return {};
  const std::uint64_t middle = begin + split_point(end - begin);
  const bool left = index < middle;
  if (auto deeper = left ? append_path(proof, index, begin, middle, node)
                         : append_path(proof, index, middle, end, node);
      !deeper) {
    return deeper;
  }
  return left ? append_part(proof, middle, end, node) : append_part(proof, begin, middle, node);
}

// SUBPROOF(m, D[begin:end], known), m counted from leaf 0.
base::Result<void> append_subproof(std::vector<Hash>& proof, std::uint64_t m, std::uint64_t begin,
                                   std::uint64_t end, bool known, const NodeSource& node) {
  if (m == end) return known ? base::Result<void>() : append_part(proof, begin, end, node);
  const std::uint64_t middle = begin + split_point(end - begin);
  if (m <= middle) {
    if (auto deeper = append_subproof(proof, m, begin, middle, known, node); !deeper) return deeper;
    return append_part(proof, middle, end, node);
  }
  if (auto deeper = append_subproof(proof, m, middle, end, false, node); !deeper) return deeper;
  return append_part(proof, begin, middle, node);
}

}  // namespace

base::Result<Hash> root_of(std::uint64_t size, const NodeSource& node) {
  if (size == 0) return empty_root();
  return part_root(0, size, node);
}

base::Result<std::vector<Hash>> inclusion_proof(std::uint64_t index, std::uint64_t size,
                                                const NodeSource& node) {
  CARDVAULT_CHECK(index < size);
  std::vector<Hash> proof;
  if (auto done = append_path(proof, index, 0, size, node); !done) {
    return std::unexpected(done.error());
  }
  return proof;
}

// RFC 9162 section 2.1.3.2.
bool verify_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size,
                      std::span<const Hash> proof, const Hash& root) {
  if (index >= size) return false;
  std::uint64_t at = index, last = size - 1;
  Hash hash = leaf;
  for (const Hash& sibling : proof) {
    if (last == 0) return false;
    if ((at & 1) != 0 || at == last) {
      hash = node_hash(sibling, hash);
      while ((at & 1) == 0 && at != 0) at >>= 1, last >>= 1;
    } else {
      hash = node_hash(hash, sibling);
    }
    at >>= 1, last >>= 1;
  }
  return last == 0 && hash == root;
}

base::Result<std::vector<Hash>> consistency_proof(std::uint64_t old_size, std::uint64_t new_size,
                                                  const NodeSource& node) {
  CARDVAULT_CHECK(old_size <= new_size);
  std::vector<Hash> proof;
  if (old_size == 0 || old_size == new_size) return proof;
  if (auto done = append_subproof(proof, old_size, 0, new_size, true, node); !done) {
    return std::unexpected(done.error());
  }
  return proof;
}

// RFC 9162 section 2.1.4.2.
bool verify_consistency(std::uint64_t old_size, const Hash& old_root, std::uint64_t new_size,
                        const Hash& new_root, std::span<const Hash> proof) {
  if (old_size > new_size) return false;
  if (old_size == new_size) return proof.empty() && old_root == new_root;
  if (old_size == 0) return proof.empty() && old_root == empty_root();
  if (proof.empty()) return false;
  std::uint64_t at = old_size - 1, last = new_size - 1;
  while ((at & 1) != 0) at >>= 1, last >>= 1;
  // A complete old tree is itself the first node.
  const bool whole = std::has_single_bit(old_size);
  Hash old_hash = whole ? old_root : proof[0], new_hash = old_hash;
  for (const Hash& c : proof.subspan(whole ? 0 : 1)) {
    if (last == 0) return false;
    if ((at & 1) != 0 || at == last) {
      old_hash = node_hash(c, old_hash);
      new_hash = node_hash(c, new_hash);
      while ((at & 1) == 0 && at != 0) at >>= 1, last >>= 1;
    } else {
      new_hash = node_hash(new_hash, c);
    }
    at >>= 1, last >>= 1;
  }
  return last == 0 && old_hash == old_root && new_hash == new_root;
}

}  // namespace cardvault::audit
