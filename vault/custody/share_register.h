// Which shares exist, by a transcript: whose, and by which digest a right one is known.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "vault/custody/share.h"
#include "vault/custody/transcript.h"

namespace cardvault::custody {

struct KnownShare {
  ShareLabel label;
  Digest digest{};
  std::string custodian;
  bool confirmed = false;  // delivered: its custodian said so
  bool valid = true;       // false once its split was replaced or broken off
};

enum class ShareFault : std::uint8_t {
  kOtherVault,   // a share of another ceremony
  kOtherSecret,  // not of the secret asked for
  kReplaced,     // of a split that a later one made void
  kUnknown,      // this vault never made such a share
  kChanged,      // the label is known, the value is not the one it was made with
  kTwice,        // this share, or another with its index, has been entered already
};
// What to tell the one who entered it; the share is named, its value is not.
[[nodiscard]] std::string explain(ShareFault fault, const ShareLabel& label);

class ShareRegister {
 public:
  // Of entries "share-made", "share-confirmed", "share-carried" and "split-void". Throws
  // StartupError on one of these that makes no sense.
  explicit ShareRegister(const Transcript& transcript);

  [[nodiscard]] std::span<const KnownShare> all() const noexcept { return shares_; }
  // The valid, confirmed ones, by index; empty when the secret isn't split.
  [[nodiscard]] std::vector<KnownShare> current(SecretName secret) const;
  // Of the latest split, valid or not, be it known by its becoming void alone; 0 before the first.
  [[nodiscard]] unsigned newest_generation(SecretName secret) const;

  // Whether a share is good, now, as one of `secret`, beside those in `entered`.
  [[nodiscard]] std::expected<KnownShare, ShareFault> check(
      const Share& share, SecretName secret, std::span<const Share> entered = {}) const;

 private:
  void read(const Entry& entry);
  [[nodiscard]] KnownShare* find(const ShareLabel& label);

  VaultId vault_{};
  std::vector<KnownShare> shares_;
  std::map<SecretName, unsigned> newest_;
};

// The fields of a share in an entry: secret, generation, index, threshold, parts, custodian,
// digest.
[[nodiscard]] Fields share_fields(const ShareLabel& label, const std::string& custodian,
                                  const Digest& digest);

}  // namespace cardvault::custody
