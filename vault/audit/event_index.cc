#include "vault/audit/event_index.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "vault/base/check.h"
#include "vault/base/secret.h"

namespace cardvault::audit {
namespace {

constexpr std::string_view kMagic = "cardvault index 1\n";
constexpr std::size_t kBlocks = 256;
constexpr std::size_t kCountBytes = 4;
constexpr std::size_t kMacBytes = 16;
constexpr std::size_t kEntryBytes = 5;
constexpr std::size_t kCounts = kMagic.size() + sizeof(Hash);
constexpr std::size_t kMacs = kCounts + kBlocks * kCountBytes;
constexpr std::size_t kHeadMac = kMacs + kBlocks * kMacBytes;
constexpr std::size_t kHead = kHeadMac + kMacBytes;

// 40 bits: FNV-1a and a finalizer. Whoever makes terms collide makes searching slower, no more.
std::uint64_t term_hash(std::string_view term) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const char c : term) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  }
  hash ^= hash >> 33;
  hash *= 0xFF51AFD7ED558CCD;
  return (hash ^ hash >> 29) >> 24;
}

void append_big_endian(std::string& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::string mac_of(const IndexKey& key, std::string_view text) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  const auto bytes = base::as_bytes(text);
  CARDVAULT_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes.data(),
                       bytes.size(), mac.data(), &size) != nullptr);
  return {mac.begin(), mac.begin() + kMacBytes};
}

std::string block_mac(const IndexKey& key, const Hash& node, std::size_t block,
                      std::string_view bytes) {
  std::string text(node.begin(), node.end());
  text += static_cast<char>(block);
  return mac_of(key, text.append(bytes));
}

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

void IndexBuilder::add(std::string_view term, std::uint8_t bundle) {
  entries_.push_back(term_hash(term) << 8 | bundle);
}

std::string IndexBuilder::finish(const Hash& node, const IndexKey& key) {
  std::ranges::sort(entries_);
  const auto repeated = std::ranges::unique(entries_);
  entries_.erase(repeated.begin(), repeated.end());
  std::array<std::string, kBlocks> blocks;
  for (const std::uint64_t entry : entries_) {
    append_big_endian(blocks[entry >> 40], entry, kEntryBytes);
  }
  std::string file(kMagic);
  file.append(node.begin(), node.end());
  for (const std::string& block : blocks) {
    append_big_endian(file, block.size() / kEntryBytes, kCountBytes);
  }
  for (std::size_t i = 0; i < kBlocks; ++i) file += block_mac(key, node, i, blocks[i]);
  file += mac_of(key, file);
  for (const std::string& block : blocks) file += block;
  return file;
}

std::optional<IndexReader> IndexReader::open(Read read, const Hash& node, const IndexKey& key) {
  std::string head = read(0, kHead);
  const std::string_view bytes(head);
  if (bytes.size() != kHead || !bytes.starts_with(kMagic) ||
      !std::ranges::equal(base::as_bytes(bytes.substr(kMagic.size(), node.size())), node) ||
      !same(bytes.substr(kHeadMac), mac_of(key, bytes.substr(0, kHeadMac)))) {
    return std::nullopt;
  }
  return IndexReader(std::move(read), node, key, std::move(head));
}

std::optional<BundleSet> IndexReader::bundles(std::string_view term) const {
  const std::uint64_t wanted = term_hash(term);
  const auto block = static_cast<std::size_t>(wanted >> 32);
  const std::string_view head(head_);
  std::uint64_t offset = kHead, entries = 0;
  for (std::size_t i = 0; i <= block; ++i) {
    offset += entries * kEntryBytes;
    entries = big_endian(head.substr(kCounts + i * kCountBytes, kCountBytes));
  }
  const std::string bytes = read_(offset, entries * kEntryBytes);
  if (bytes.size() != entries * kEntryBytes ||
      !same(head.substr(kMacs + block * kMacBytes, kMacBytes),
            block_mac(key_, node_, block, bytes))) {
    return std::nullopt;
  }
  BundleSet found;
  const auto at = [&bytes](std::uint64_t i) {
    return big_endian(std::string_view(bytes).substr(i * kEntryBytes, kEntryBytes));
  };
  const std::uint64_t first = (wanted & 0xFFFFFFFF) << 8;
  std::uint64_t low = 0, high = entries;
  while (low < high) {
    const std::uint64_t middle = (low + high) / 2;
    if (at(middle) < first) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  for (; low < entries && at(low) >> 8 == first >> 8; ++low) found.set(at(low) & 0xFF);
  return found;
}

}  // namespace cardvault::audit
