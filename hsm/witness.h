// What earlier logins of this process know of the keys: a token that comes back with other keys
// under the same labels is not taken for ours.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "vault/core/crypto.h"

namespace cardvault::hsm {

struct Witness {
  std::map<core::KeyRef, core::Sealed> canaries;
  std::map<core::KeyRef, core::Mac> macs;
  std::map<core::KeyRef, std::vector<std::uint8_t>> points;  // of signing keys

  [[nodiscard]] std::size_t size() const { return canaries.size() + macs.size() + points.size(); }
  // Forgets keys that nobody expects: one that was made and taken back may be made again, and is
  // another one then.
  void keep_expected(const std::map<core::KeyRef, std::string>& expected) {
    const auto unexpected = [&](const auto& entry) { return !expected.contains(entry.first); };
    std::erase_if(canaries, unexpected);
    std::erase_if(macs, unexpected);
    std::erase_if(points, unexpected);
  }
};

}  // namespace cardvault::hsm
