#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>

#include "provisioning/new_keys.h"

namespace cardvault::provisioning {
namespace {

// SubjectPublicKeyInfo of a P-256 key up to its 65-byte point (RFC 5480 section 2).
constexpr std::array<std::uint8_t, 26> kP256Prefix = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
constexpr std::uint8_t kEd25519 = 0x01;  // C2SP signed-note, signature types
constexpr std::uint8_t kEcdsa = 0x02;

}  // namespace

std::string verifier_key(const std::string& name, const core::SigningPublicKey& key) {
  std::vector<std::uint8_t> body = {key.ed25519 ? kEd25519 : kEcdsa};
  if (!key.ed25519) body.insert(body.end(), kP256Prefix.begin(), kP256Prefix.end());
  body.insert(body.end(), key.point.begin(), key.point.end());

  std::vector<std::uint8_t> hashed(name.begin(), name.end());
  hashed.push_back('\n');
  hashed.insert(hashed.end(), body.begin(), body.end());
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(hashed.data(), hashed.size(), digest.data());
  std::string hash;
  for (std::size_t i = 0; i < 4; ++i) {
    constexpr const char* kDigits = "0123456789abcdef";
    hash += kDigits[digest[i] >> 4U];
    hash += kDigits[digest[i] & 15U];
  }
  std::string encoded((body.size() + 2) / 3 * 4 + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()), body.data(),
                                     static_cast<int>(body.size()));
  encoded.resize(static_cast<std::size_t>(length));
  return name + "+" + hash + "+" + encoded;
}

}  // namespace cardvault::provisioning
