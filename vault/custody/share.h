// A custodian's share of a split secret: what it is of, and its value.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "vault/base/secret.h"
#include "vault/custody/digest.h"
#include "vault/custody/shamir.h"

namespace cardvault::custody {

enum class SecretName : std::uint8_t { kSoPin = 1, kUserPin = 2, kBackupKey = 3 };
inline constexpr std::array<SecretName, 3> kAllSecrets = {SecretName::kSoPin, SecretName::kUserPin,
                                                          SecretName::kBackupKey};
// "so-pin", "user-pin", "backup-key".
[[nodiscard]] std::string_view secret_name(SecretName name) noexcept;
[[nodiscard]] std::optional<SecretName> parse_secret_name(std::string_view text) noexcept;

using VaultId = std::array<std::uint8_t, 8>;  // random, made by the vault's first ceremony

struct ShareLabel {
  VaultId vault{};
  SecretName secret = SecretName::kSoPin;
  std::uint8_t generation = 1;  // counts the splits: shares of two splits never go together
  std::uint8_t index = 0;       // 1..parts
  std::uint8_t threshold = 0;   // K
  std::uint8_t parts = 0;       // N
  friend bool operator==(const ShareLabel&, const ShareLabel&) = default;
};

// "share 2 of 5 of so-pin (any 3 rebuild it), split 1, vault 0123456789abcdef"
[[nodiscard]] std::string describe(const ShareLabel& label);

// Move-only: a share has one owner.
struct Share {
  ShareLabel label;
  base::SecretBuffer value;

  Share() = default;
  Share(ShareLabel the_label, base::SecretBuffer the_value)
      : label(the_label), value(std::move(the_value)) {}
  Share(Share&&) noexcept = default;
  Share& operator=(Share&&) noexcept = default;
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;
  ~Share() = default;
};

inline constexpr std::size_t kSecretBytes = 32;  // PINs of 32 characters, keys of 256 bits
inline constexpr std::size_t kShareBytes = 50;

// 01 ‖ vault id ‖ secret ‖ generation ‖ index ‖ K ‖ N ‖ value ‖ first 4 bytes of SHA-256 of it all.
// REQUIRES: a value of kSecretBytes.
[[nodiscard]] base::SecretBuffer encode_share(const Share& share);
// nullopt when it is none, or its check does not hold.
[[nodiscard]] std::optional<Share> decode_share(std::span<const std::uint8_t> bytes);

// What the transcript records of a share: SHA-256 over a fixed prefix and its encoding. It says
// nothing about the value: each share of Shamir's scheme is as random as the secret's full length,
// 256 bits for the secrets split here, and the vault id in front keeps it from being looked up in
// tables. Whoever holds K-1 shares and the last one's digest still has the secret's own entropy to
// guess: 160 bits of a PIN, 256 of a backup key.
[[nodiscard]] Digest share_digest(const Share& share);

// Splits into labelled shares; label.index is filled in. REQUIRES: as split() does.
[[nodiscard]] std::vector<Share> split_secret(const base::SecretBuffer& secret, ShareLabel label);

}  // namespace cardvault::custody
