// The low-level calls: EVP's contexts cost as much as hashing a node does.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "vault/audit/merkle.h"

#include <openssl/sha.h>

#include <bit>

#include "vault/audit/sha256.h"
#include "vault/base/check.h"

namespace cardvault::audit {
namespace {

constexpr std::uint8_t kLeafPrefix = 0x00;
constexpr std::uint8_t kNodePrefix = 0x01;

Hash join_power_of_two(std::span<const Hash> nodes) {
  if (nodes.size() == 1) return nodes[0];
  const std::size_t half = nodes.size() / 2;
  return node_hash(join_power_of_two(nodes.first(half)), join_power_of_two(nodes.subspan(half)));
}

}  // namespace

Hash sha256(std::string_view bytes) {
  SHA256_CTX context;
  Hash hash;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  SHA256_Final(hash.data(), &context);
  return hash;
}

Hash leaf_hash(std::string_view entry) {
  SHA256_CTX context;
  Hash hash;
  SHA256_Init(&context);
  SHA256_Update(&context, &kLeafPrefix, 1);
  SHA256_Update(&context, entry.data(), entry.size());
  SHA256_Final(hash.data(), &context);
  return hash;
}

Hash node_hash(const Hash& left, const Hash& right) {
  SHA256_CTX context;
  Hash hash;
  SHA256_Init(&context);
  SHA256_Update(&context, &kNodePrefix, 1);
  SHA256_Update(&context, left.data(), left.size());
  SHA256_Update(&context, right.data(), right.size());
  SHA256_Final(hash.data(), &context);
  return hash;
}

Hash empty_root() { return sha256({}); }

std::optional<std::size_t> entry_length(std::string_view bytes, const Hash& leaf) {
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, &kLeafPrefix, 1);
  for (std::size_t length = 0;; ++length) {
    SHA256_CTX here = context;
    Hash hash;
    SHA256_Final(hash.data(), &here);
    if (hash == leaf) return length;
    if (length == bytes.size() || length == kMaxEntryBytes) return std::nullopt;
    SHA256_Update(&context, bytes.data() + length, 1);
  }
}

Hash join(std::span<const Hash> nodes, const Hash* rest) {
  CARDVAULT_CHECK(!nodes.empty() || rest != nullptr);
  if (nodes.empty()) return *rest;
  const std::size_t left = std::bit_floor(nodes.size());
  const Hash first = join_power_of_two(nodes.first(left));
  if (left == nodes.size() && rest == nullptr) return first;
  return node_hash(first, join(nodes.subspan(left), rest));
}

}  // namespace cardvault::audit
