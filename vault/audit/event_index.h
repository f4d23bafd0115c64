// An index of 65,536 records: which of their 256 bundles hold a term, such as a token or an actor.
//
//   "cardvault index 1\n"      18 bytes
//   node                       32: root of the records' subtree, proven when the index was made
//   counts                     256 x 4, big-endian: entries of each block
//   block MACs                 256 x 16
//   MAC of all of the above    16
//   blocks                     of 5-byte entries, sorted: 4 of the term's hash, 1 of its bundle
//
// A term's hash has 5 bytes, of which the first is its block's number. MACs are HMAC-SHA-256 (RFC
// 2104) under a key that only the reader of the index has; a block's binds its number and the node.
// So what somebody else wrote is no index, nor is one of other records; two terms of one hash cost
// a bundle read in vain.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/audit/merkle.h"

namespace cardvault::audit {

inline constexpr unsigned kIndexLevel = 2;  // of the node: a subtree of 256^2 records
inline constexpr std::uint64_t kIndexBundles = 256;
inline constexpr std::uint64_t kIndexRecords = 65'536;

using IndexKey = std::array<std::uint8_t, 32>;
using BundleSet = std::bitset<kIndexBundles>;

// Not thread-safe.
class IndexBuilder {
 public:
  void add(std::string_view term, std::uint8_t bundle);
  [[nodiscard]] std::string finish(const Hash& node, const IndexKey& key);

 private:
  std::vector<std::uint64_t> entries_;
};

// Reads only the parts that a question needs. `read` gives bytes of the file, fewer at its end.
class IndexReader {
 public:
  using Read = std::function<std::string(std::uint64_t offset, std::size_t size)>;
  // nullopt: not an index of that node made with that key.
  [[nodiscard]] static std::optional<IndexReader> open(Read read, const Hash& node,
                                                       const IndexKey& key);
  // The bundles that hold the term, and rarely others; nullopt: the file was changed.
  [[nodiscard]] std::optional<BundleSet> bundles(std::string_view term) const;

 private:
  IndexReader(Read read, const Hash& node, const IndexKey& key, std::string head)
      : read_(std::move(read)), node_(node), key_(key), head_(std::move(head)) {}

  Read read_;
  Hash node_;
  IndexKey key_;
  std::string head_;
};

}  // namespace cardvault::audit
