// The algorithms on one session: what a record, a fingerprint and a signature are made of.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "hsm/pkcs11.h"
#include "vault/core/crypto.h"

namespace cardvault::hsm {

// Where the IV of a GCM encryption comes from; found out by trying at each login.
enum class GcmIv : std::uint8_t {
  kCaller,          // ours, from C_GenerateRandom
  kModuleInParams,  // the module writes its own into CK_GCM_PARAMS
  kModuleAppends,   // the module puts its own behind the tag
};

// A session at work. Random bytes for IVs (which are no secret) are fetched in blocks: one module
// call instead of one per record. One thread at a time.
struct Channel {
  CK_FUNCTION_LIST* fn = nullptr;
  CK_SESSION_HANDLE session = 0;
  GcmIv gcm_iv = GcmIv::kCaller;
  std::array<std::uint8_t, 480> iv_block{};
  std::size_t iv_left = 0;
};

inline constexpr std::size_t kMaxPlaintext = 4096;

// All return the CK_RV in Error::number; kRecordDamaged with number 0 when our own check, before or
// after the module's call, found the record malformed or its MAC wrong.
[[nodiscard]] base::Result<core::Mac> hmac_sha256(const Channel& channel, CK_OBJECT_HANDLE key,
                                                  std::span<const std::uint8_t> data);
[[nodiscard]] base::Result<void> random_bytes(const Channel& channel, std::span<std::uint8_t> out);

// NIST SP 800-38D: 96-bit IV, 128-bit tag at the end.
[[nodiscard]] base::Result<core::Sealed> gcm_encrypt(Channel& channel, CK_OBJECT_HANDLE key,
                                                     std::span<const std::uint8_t> plaintext,
                                                     std::span<const std::uint8_t> aad);
[[nodiscard]] base::Result<base::SecretBuffer> gcm_decrypt(const Channel& channel,
                                                           CK_OBJECT_HANDLE key,
                                                           const core::Sealed& sealed,
                                                           std::span<const std::uint8_t> aad);

// Suite 2 (core/crypto.h): AES-CBC with PKCS#7 padding, then HMAC-SHA-256 with a key of its own.
[[nodiscard]] base::Result<core::Sealed> cbc_hmac_encrypt(Channel& channel,
                                                          CK_OBJECT_HANDLE enc_key,
                                                          CK_OBJECT_HANDLE mac_key,
                                                          std::span<const std::uint8_t> plaintext,
                                                          std::span<const std::uint8_t> aad);
[[nodiscard]] base::Result<base::SecretBuffer> cbc_hmac_decrypt(const Channel& channel,
                                                                CK_OBJECT_HANDLE enc_key,
                                                                CK_OBJECT_HANDLE mac_key,
                                                                const core::Sealed& sealed,
                                                                std::span<const std::uint8_t> aad);

// 64 bytes: ES256 as r ‖ s over SHA-256 of data (FIPS 186-5), or Ed25519 (RFC 8032).
[[nodiscard]] base::Result<std::vector<std::uint8_t>> sign_es256(
    const Channel& channel, CK_OBJECT_HANDLE key, std::span<const std::uint8_t> data);
[[nodiscard]] base::Result<std::vector<std::uint8_t>> sign_ed25519(
    const Channel& channel, CK_OBJECT_HANDLE key, std::span<const std::uint8_t> data);

}  // namespace cardvault::hsm
