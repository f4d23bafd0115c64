// The crypto port: what the domain asks of the HSM. Implemented by hsm/ (PKCS#11) and by a fake in
// tests/; both pass the same contract tests (tests/hsm/crypto_contract.h).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/base/result.h"
#include "vault/base/secret.h"

namespace cardvault::core {

// What a key is for; one use each (NIST SP 800-57 part 1, 5.2). Labels are "pan-enc/1" and so on.
enum class KeyPurpose : std::uint8_t {
  kPanEnc,     // "pan-enc":    AES-256, PAN and expiry
  kPanIndex,   // "pan-index":  HMAC-SHA-256, fingerprint of the whole PAN
  kIdIndex,    // "id-index":   HMAC-SHA-256, finding customers and subjects; request fingerprints
  kIdEnc,      // "id-enc":     AES-256, identifiers of customers and subjects
  kOtpMac,     // "otp-mac":    HMAC-SHA-256, one-time codes
  kSecretEnc,  // "secret-enc": AES-256, outputs of Argon2id
  kSealSign,   // "seal-sign":  EC P-256, sealed data and receipts
  kAuditSign,  // "audit-sign": Ed25519, or EC P-256 where the module has none
  kClientCa,   // "client-ca":  EC P-256, certificates and revocation lists of enrolled clients
};
inline constexpr std::size_t kKeyPurposes = 9;
inline constexpr std::array<KeyPurpose, kKeyPurposes> kAllKeyPurposes = {
    KeyPurpose::kPanEnc,   KeyPurpose::kPanIndex,  KeyPurpose::kIdIndex,
    KeyPurpose::kIdEnc,    KeyPurpose::kOtpMac,    KeyPurpose::kSecretEnc,
    KeyPurpose::kSealSign, KeyPurpose::kAuditSign, KeyPurpose::kClientCa};

// Pairs, whose private half never leaves the token; the others are symmetric.
[[nodiscard]] constexpr bool is_signature(KeyPurpose purpose) noexcept {
  return purpose == KeyPurpose::kSealSign || purpose == KeyPurpose::kAuditSign ||
         purpose == KeyPurpose::kClientCa;
}

// "pan-enc"; never null.
[[nodiscard]] std::string_view key_purpose_name(KeyPurpose purpose) noexcept;

struct KeyRef {
  KeyPurpose purpose = KeyPurpose::kPanEnc;
  std::uint32_t version = 0;
  friend auto operator<=>(const KeyRef&, const KeyRef&) = default;
};
[[nodiscard]] std::string key_label(const KeyRef& key);  // "pan-enc/1"

// How a record is encrypted; stored with it.
enum class Suite : std::uint8_t {
  kAes256Gcm = 1,            // NIST SP 800-38D, 96-bit IV, 128-bit tag at the end of the ciphertext
  kAes256CbcHmacSha256 = 2,  // PKCS#7 padding, 128-bit IV; encrypt-then-MAC over
                             // aad ‖ iv ‖ ciphertext ‖ 64-bit length of aad in bits, 32-byte tag at
                             // the end (the order of RFC 7518 5.2.2.1)
};

struct Sealed {
  Suite suite = Suite::kAes256Gcm;
  std::vector<std::uint8_t> iv;
  std::vector<std::uint8_t> ciphertext;  // with its tag
};

using Mac = std::array<std::uint8_t, 32>;

// 65 bytes 04 ‖ x ‖ y on P-256, or 32 of Ed25519.
struct SigningPublicKey {
  bool ed25519 = false;
  std::vector<std::uint8_t> point;
};

// Thread-safe. Every call may return kHsmUnavailable (down; the implementation recovers by itself),
// kKeyMissing (no such key on the token) or kInternal (the module answered nonsense), with the
// CK_RV in Error::number.
class Crypto {
 public:
  virtual ~Crypto() = default;
  // The suite that encrypt() uses for new records of this key: records bind it in their AAD.
  [[nodiscard]] virtual Suite suite(KeyRef key) const = 0;
  // HMAC-SHA-256 with an index or MAC key (FIPS 198-1).
  [[nodiscard]] virtual base::Result<Mac> mac(KeyRef key, std::span<const std::uint8_t> data) = 0;
  // Authenticated encryption, IV from the HSM. Plaintext 1..4096 bytes.
  [[nodiscard]] virtual base::Result<Sealed> encrypt(KeyRef key,
                                                     std::span<const std::uint8_t> plaintext,
                                                     std::span<const std::uint8_t> aad) = 0;
  // kRecordDamaged when ciphertext, IV or AAD are not what was encrypted, told apart from an outage
  // by decrypting a canary (SoftHSM answers CKR_GENERAL_ERROR to both).
  [[nodiscard]] virtual base::Result<base::SecretBuffer> decrypt(
      KeyRef key, const Sealed& sealed, std::span<const std::uint8_t> aad) = 0;
  [[nodiscard]] virtual base::Result<void> random(std::span<std::uint8_t> out) = 0;
  // Of a signing key: 64 bytes, r ‖ s for ES256 (over SHA-256 of data) or Ed25519.
  [[nodiscard]] virtual base::Result<std::vector<std::uint8_t>> sign(
      KeyRef key, std::span<const std::uint8_t> data) = 0;
  // Of a signing key.
  [[nodiscard]] virtual base::Result<SigningPublicKey> public_key(KeyRef key) const = 0;
};

}  // namespace cardvault::core
