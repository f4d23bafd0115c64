// RFC 6962's definitions as they stand there, for tests to compare with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vault/audit/merkle.h"

namespace cardvault::audit {

// What the tests' logs hold: "entry 17".
[[nodiscard]] inline std::string entry(std::uint64_t i) { return "entry " + std::to_string(i); }

[[nodiscard]] inline std::string hex(const Hash& hash) {
  std::string text;
  for (const std::uint8_t byte : hash) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

class ReferenceTree {
 public:
  explicit ReferenceTree(std::uint64_t size) {
    for (std::uint64_t i = 0; i < size; ++i) leaves_.push_back(leaf_hash(entry(i)));
  }
  [[nodiscard]] const std::vector<Hash>& leaves() const { return leaves_; }
  // MTH(D[begin:end]).
  [[nodiscard]] Hash root(std::uint64_t begin, std::uint64_t end) const {
    if (end == begin) return empty_root();
    if (end - begin == 1) return leaves_[begin];
    const std::uint64_t middle = begin + split(end - begin);
    return node_hash(root(begin, middle), root(middle, end));
  }
  // PATH(m, D[begin:end]), m from `begin`.
  [[nodiscard]] std::vector<Hash> path(std::uint64_t m, std::uint64_t begin,
                                       std::uint64_t end) const {
    if (end - begin == 1) return {};
    const std::uint64_t k = split(end - begin);
    std::vector<Hash> proof = m < k ? path(m, begin, begin + k) : path(m - k, begin + k, end);
    proof.push_back(m < k ? root(begin + k, end) : root(begin, begin + k));
    return proof;
  }
  // SUBPROOF(m, D[begin:end], b).
  [[nodiscard]] std::vector<Hash> subproof(std::uint64_t m, std::uint64_t begin, std::uint64_t end,
                                           bool b) const {
    const std::uint64_t n = end - begin;
    if (m == n) return b ? std::vector<Hash>{} : std::vector<Hash>{root(begin, end)};
    const std::uint64_t k = split(n);
    std::vector<Hash> proof =
        m <= k ? subproof(m, begin, begin + k, b) : subproof(m - k, begin + k, end, false);
    proof.push_back(m <= k ? root(begin + k, end) : root(begin, begin + k));
    return proof;
  }

 private:
  static std::uint64_t split(std::uint64_t n) {
    std::uint64_t k = 1;
    while (2 * k < n) k *= 2;
    return k;
  }
  std::vector<Hash> leaves_;
};

}  // namespace cardvault::audit
