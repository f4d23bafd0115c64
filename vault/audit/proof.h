// Inclusion and consistency proofs (RFC 6962 sections 2.1.1 and 2.1.2), made and checked.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "vault/audit/merkle.h"
#include "vault/base/result.h"

namespace cardvault::audit {

// Where hashes come from: the root of the complete subtree of 2^level leaves that begins at leaf
// index * 2^level.
using NodeSource = std::function<base::Result<Hash>(unsigned level, std::uint64_t index)>;

// The root of the first `size` leaves. Errors of `node`, as in all below.
[[nodiscard]] base::Result<Hash> root_of(std::uint64_t size, const NodeSource& node);

// PATH(index, D[size]), from the leaf's sibling up. index < size.
[[nodiscard]] base::Result<std::vector<Hash>> inclusion_proof(std::uint64_t index,
                                                              std::uint64_t size,
                                                              const NodeSource& node);
[[nodiscard]] bool verify_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size,
                                    std::span<const Hash> proof, const Hash& root);

// PROOF(old_size, D[new_size]); empty for equal sizes and for old_size 0. old_size <= new_size.
[[nodiscard]] base::Result<std::vector<Hash>> consistency_proof(std::uint64_t old_size,
                                                                std::uint64_t new_size,
                                                                const NodeSource& node);
// Is the old tree the beginning of the new one? False for a longer old tree.
[[nodiscard]] bool verify_consistency(std::uint64_t old_size, const Hash& old_root,
                                      std::uint64_t new_size, const Hash& new_root,
                                      std::span<const Hash> proof);

}  // namespace cardvault::audit
