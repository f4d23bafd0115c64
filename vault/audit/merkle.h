// The Merkle tree of RFC 6962 section 2.1: hashes of leaves and nodes, and roots.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace cardvault::audit {

inline constexpr std::size_t kMaxEntryBytes = 0xFFFF;  // a published log's entries (tile.h)

using Hash = std::array<std::uint8_t, 32>;  // SHA-256

// SHA-256(00 ‖ entry): what stands for an entry in the tree. Thread-safe, as all here.
[[nodiscard]] Hash leaf_hash(std::string_view entry);
// SHA-256(01 ‖ left ‖ right).
[[nodiscard]] Hash node_hash(const Hash& left, const Hash& right);
// Of the tree without entries: SHA-256 of nothing.
[[nodiscard]] Hash empty_root();

// How many of the first `bytes` make the entry that this leaf hash is of; nullopt: no beginning of
// them, of at most kMaxEntryBytes, does.
[[nodiscard]] std::optional<std::size_t> entry_length(std::string_view bytes, const Hash& leaf);

// The root of the tree whose leftmost parts are `nodes`, complete subtrees of one size, in order;
// `rest`, where there is more to the right, is the root of that, which is smaller than one of them.
// At least one of both.
[[nodiscard]] Hash join(std::span<const Hash> nodes, const Hash* rest = nullptr);

}  // namespace cardvault::audit
