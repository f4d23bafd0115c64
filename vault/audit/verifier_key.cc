#include "vault/audit/verifier_key.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <memory>

#include "vault/audit/base64.h"
#include "vault/base/check.h"

namespace cardvault::audit {
namespace {

constexpr std::uint8_t kEd25519 = 0x01;
constexpr std::uint8_t kEcdsa = 0x02;
constexpr std::size_t kEd25519Bytes = 32;
constexpr std::size_t kPointBytes = 65;
constexpr std::size_t kScalarBytes = 32;
// SubjectPublicKeyInfo up to the key itself: of a P-256 point (RFC 5480 section 2), of Ed25519
// (RFC 8410 section 4).
constexpr std::array<std::uint8_t, 26> kP256Prefix = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
constexpr std::array<std::uint8_t, 12> kEd25519Prefix = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                         0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

using Bytes = std::vector<std::uint8_t>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

template <std::size_t N>
Bytes after(const std::array<std::uint8_t, N>& prefix, const Bytes& key) {
  Bytes der(prefix.begin(), prefix.end());
  der.insert(der.end(), key.begin(), key.end());
  return der;
}

Bytes spki(const core::SigningPublicKey& key) {
  return key.ed25519 ? after(kEd25519Prefix, key.point) : after(kP256Prefix, key.point);
}

Key usable(const Bytes& der) {
  const unsigned char* at = der.data();
  return {d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())), &EVP_PKEY_free};
}

std::uint32_t leading_bytes(const Bytes& data) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(data.data(), data.size(), digest.data());
  return static_cast<std::uint32_t>(digest[0]) << 24 | static_cast<std::uint32_t>(digest[1]) << 16 |
         static_cast<std::uint32_t>(digest[2]) << 8 | digest[3];
}

std::string hex_of(std::uint32_t id) {
  std::string text;
  for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[id >> shift & 15];
  return text;
}

// The key that a SubjectPublicKeyInfo holds, where it is of one of our two kinds and good.
std::optional<core::SigningPublicKey> key_of(const Bytes& der) {
  core::SigningPublicKey key;
  const auto starts = [&der](const auto& prefix) {
    return der.size() > prefix.size() && std::equal(prefix.begin(), prefix.end(), der.begin());
  };
  if (starts(kEd25519Prefix) && der.size() == kEd25519Prefix.size() + kEd25519Bytes) {
    key.ed25519 = true;
    key.point.assign(der.begin() + kEd25519Prefix.size(), der.end());
  } else if (starts(kP256Prefix) && der.size() == kP256Prefix.size() + kPointBytes) {
    key.point.assign(der.begin() + kP256Prefix.size(), der.end());
  } else {
    return std::nullopt;
  }
  if (usable(der) == nullptr) return std::nullopt;
  return key;
}

std::string_view next_line(std::string_view& text) {
  const auto end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

bool valid_key_name(std::string_view name) {
  return !name.empty() &&
         std::ranges::all_of(name, [](char c) { return c > 0x20 && c < 0x7F && c != '+'; });
}

VerifierKey::VerifierKey(std::string name, core::SigningPublicKey key)
    : name_(std::move(name)), key_(std::move(key)) {
  CARDVAULT_CHECK(key_.point.size() == (key_.ed25519 ? kEd25519Bytes : kPointBytes));
  Bytes hashed;
  if (key_.ed25519) {
    hashed.assign(name_.begin(), name_.end());
    hashed.push_back('\n');
    const Bytes key_bytes = material();
    hashed.insert(hashed.end(), key_bytes.begin(), key_bytes.end());
  } else {
    hashed = spki(key_);
  }
  id_ = leading_bytes(hashed);
}

std::optional<VerifierKey> VerifierKey::parse(std::string_view text) {
  const auto first = text.find('+');
  const auto second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos || !valid_key_name(text.substr(0, first))) {
    return std::nullopt;
  }
  auto bytes = from_base64(text.substr(second + 1));
  if (!bytes || bytes->empty()) return std::nullopt;
  const std::uint8_t type = bytes->front();
  bytes->erase(bytes->begin());
  if (type != kEd25519 && type != kEcdsa) return std::nullopt;
  auto key = key_of(type == kEd25519 ? after(kEd25519Prefix, *bytes) : *bytes);
  if (!key || key->ed25519 != (type == kEd25519)) return std::nullopt;
  VerifierKey made(std::string(text.substr(0, first)), std::move(*key));
  if (text.substr(first + 1, second - first - 1) != hex_of(made.id())) return std::nullopt;
  return made;
}

std::optional<VerifierKey> VerifierKey::parse_pem(std::string_view pem, std::string_view name) {
  std::string body;
  while (!pem.empty() && next_line(pem) != "-----BEGIN PUBLIC KEY-----") continue;
  for (std::string_view line; (line = next_line(pem)) != "-----END PUBLIC KEY-----";) {
    if (pem.empty()) return std::nullopt;
    body += line;
  }
  const auto der = from_base64(body);
  if (!der) return std::nullopt;
  auto key = key_of(*der);
  if (!key) return std::nullopt;
  return VerifierKey(std::string(name), std::move(*key));
}

std::vector<std::uint8_t> VerifierKey::material() const {
  Bytes bytes = key_.ed25519 ? key_.point : spki(key_);
  bytes.insert(bytes.begin(), key_.ed25519 ? kEd25519 : kEcdsa);
  return bytes;
}

std::string VerifierKey::text() const {
  return name_ + "+" + hex_of(id_) + "+" + to_base64(material());
}

bool VerifierKey::verify(std::string_view text, std::span<const std::uint8_t> signature) const {
  const Key key = usable(spki(key_));
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  if (key == nullptr || context == nullptr) return false;
  const EVP_MD* digest = key_.ed25519 ? nullptr : EVP_sha256();
  return EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                          reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
}

std::vector<std::uint8_t> VerifierKey::note_form(std::span<const std::uint8_t> signature) const {
  if (key_.ed25519) return {signature.begin(), signature.end()};
  CARDVAULT_CHECK(signature.size() == 2 * kScalarBytes);
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(ECDSA_SIG_new(),
                                                                   &ECDSA_SIG_free);
  CARDVAULT_CHECK(pair != nullptr);
  ECDSA_SIG_set0(pair.get(), BN_bin2bn(signature.data(), kScalarBytes, nullptr),
                 BN_bin2bn(signature.data() + kScalarBytes, kScalarBytes, nullptr));
  Bytes der(static_cast<std::size_t>(i2d_ECDSA_SIG(pair.get(), nullptr)));
  unsigned char* at = der.data();
  i2d_ECDSA_SIG(pair.get(), &at);
  return der;
}

}  // namespace cardvault::audit
