// Inclusion and consistency proofs of any sizes and hashes: checked in bounds; one that was not
// made for what it is held against does not hold.
#include "vault/audit/proof.h"

#include <cstring>

#include "tests/fuzz/target.h"

using namespace cardvault;

namespace {

std::uint64_t take(const std::uint8_t*& data, std::size_t& size) {
  std::uint64_t value = 0;
  const std::size_t n = size < sizeof(value) ? size : sizeof(value);
  std::memcpy(&value, data, n);
  data += n;
  size -= n;
  return value;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::uint64_t first = take(data, size), second = take(data, size);
  std::vector<audit::Hash> hashes(size / sizeof(audit::Hash));
  if (!hashes.empty()) std::memcpy(hashes.data(), data, hashes.size() * sizeof(audit::Hash));
  const audit::Hash leaf = audit::leaf_hash("a"), root = audit::leaf_hash("b");
  CARDVAULT_CHECK(!audit::verify_inclusion(leaf, first, second, hashes, root));
  if (first != 0) {
    CARDVAULT_CHECK(!audit::verify_consistency(first, leaf, second, root, hashes));
  }
  return 0;
}
