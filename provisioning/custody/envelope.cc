#include "provisioning/custody/envelope.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "vault/custody/signature.h"
#include "vault/seal/base64url.h"
#include "vault/seal/concat_kdf.h"

namespace cardvault::custody {
namespace {

constexpr std::string_view kEncryption = "A256GCM";
constexpr unsigned kKeyBits = 256;
constexpr std::size_t kIv = 12;   // RFC 7518 5.3
constexpr std::size_t kTag = 16;  // RFC 7518 5.3

std::unexpected<base::Error> refused() {
  ERR_clear_error();
  return base::fail(base::Code::kVerificationFailed, "custodian envelope");
}

// The one header this tool writes, and the only one it reads.
std::string header_of(std::span<const std::uint8_t> point) {
  return R"({"alg":"ECDH-ES","enc":"A256GCM","epk":{"crv":"P-256","kty":"EC","x":")" +
         seal::base64url(point.subspan(1, 32)) + R"(","y":")" + seal::base64url(point.subspan(33)) +
         R"("}})";
}

base::Result<base::SecretBuffer> agree(EVP_PKEY* own, EVP_PKEY* peer) {
  const seal::PkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, own, nullptr));
  std::size_t size = 0;
  if (!context || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), peer) != 1 ||  // checks the point
      EVP_PKEY_derive(context.get(), nullptr, &size) != 1) {
    return seal::openssl_failure("envelope.derive");
  }
  base::SecretBuffer z(size);
  if (EVP_PKEY_derive(context.get(), z.data(), &size) != 1) {
    return seal::openssl_failure("envelope.derive");
  }
  z.resize(size);
  return seal::concat_kdf(z, kEncryption, {}, {}, kKeyBits);
}

// base64url without padding to bytes; nullopt for other characters or bits left over.
std::optional<std::vector<std::uint8_t>> decode(std::string_view text) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::vector<std::uint8_t> out;
  unsigned bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const auto value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6U | static_cast<unsigned>(value)) & 0xffffU;
    held += 6;
    if (held >= 8) out.push_back(static_cast<std::uint8_t>(bits >> (held -= 8)));
  }
  if (held >= 6 || (bits & ((1U << held) - 1)) != 0) return std::nullopt;
  return out;
}

struct Parts {
  std::string header;  // still encoded: the AAD
  std::vector<std::uint8_t> point, iv, ciphertext, tag;
};

std::optional<Parts> take_apart(std::string_view text) {
  std::array<std::string_view, 5> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto dot = text.find('.');
    if ((dot == std::string_view::npos) != (i + 1 == parts.size())) return std::nullopt;
    parts[i] = text.substr(0, dot);
    text.remove_prefix(std::min(text.size(), parts[i].size() + 1));
  }
  const auto header = decode(parts[0]);
  const auto iv = decode(parts[2]);
  const auto ciphertext = decode(parts[3]);
  const auto tag = decode(parts[4]);
  if (!header || !parts[1].empty() || !iv || !ciphertext || !tag || iv->size() != kIv ||
      tag->size() != kTag) {
    return std::nullopt;
  }
  // The coordinates stand where header_of() puts them, or it is no header of ours.
  const std::string_view json = base::as_text(*header);
  const std::string_view front =
      R"({"alg":"ECDH-ES","enc":"A256GCM","epk":{"crv":"P-256","kty":"EC","x":")";
  constexpr std::size_t kCoordinate = 43;
  if (json.size() != header_of(std::vector<std::uint8_t>(65)).size()) return std::nullopt;
  const auto x = decode(json.substr(front.size(), kCoordinate));
  const auto y = decode(json.substr(json.size() - kCoordinate - 3, kCoordinate));
  if (!x || !y) return std::nullopt;
  std::vector<std::uint8_t> point = {4};
  point.insert(point.end(), x->begin(), x->end());
  point.insert(point.end(), y->begin(), y->end());
  if (point.size() != 65 || header_of(point) != json) return std::nullopt;
  return Parts{std::string(parts[0]), std::move(point), *iv, *ciphertext, *tag};
}

}  // namespace

base::Result<std::string> seal_envelope(const core::SigningPublicKey& recipient,
                                        std::span<const std::uint8_t> content) {
  const seal::PkeyPtr peer = openssl_key(recipient);
  const seal::PkeyPtr ephemeral(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (!peer || !ephemeral) return seal::openssl_failure("envelope.key");
  const auto key = agree(ephemeral.get(), peer.get());
  if (!key) return std::unexpected(key.error());
  const std::string header =
      seal::base64url(base::as_bytes(header_of(p256_point(ephemeral.get()))));
  std::array<std::uint8_t, kIv> iv{};
  std::array<std::uint8_t, kTag> tag{};
  std::vector<std::uint8_t> ciphertext(content.size());
  const seal::CipherCtxPtr context(EVP_CIPHER_CTX_new());
  int size = 0;
  if (!context || RAND_bytes(iv.data(), kIv) != 1 ||
      EVP_EncryptInit_ex2(context.get(), EVP_aes_256_gcm(), key->data(), iv.data(), nullptr) != 1 ||
      EVP_EncryptUpdate(context.get(), nullptr, &size, base::as_bytes(header).data(),
                        static_cast<int>(header.size())) != 1 ||
      EVP_EncryptUpdate(context.get(), ciphertext.data(), &size, content.data(),
                        static_cast<int>(content.size())) != 1 ||
      EVP_EncryptFinal_ex(context.get(), ciphertext.data() + size, &size) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTag, tag.data()) != 1) {
    return seal::openssl_failure("envelope.encrypt");
  }
  return header + ".." + seal::base64url(iv) + "." + seal::base64url(ciphertext) + "." +
         seal::base64url(tag);
}

base::Result<base::SecretBuffer> open_envelope(EVP_PKEY* key, std::string_view envelope) {
  auto parts = take_apart(envelope);
  if (!parts) return refused();
  const seal::PkeyPtr peer = openssl_key({.ed25519 = false, .point = parts->point});
  if (!peer) return refused();
  const auto secret = agree(key, peer.get());
  if (!secret) return refused();
  base::SecretBuffer out(parts->ciphertext.size());
  const seal::CipherCtxPtr context(EVP_CIPHER_CTX_new());
  int size = 0;
  if (!context ||
      EVP_DecryptInit_ex2(context.get(), EVP_aes_256_gcm(), secret->data(), parts->iv.data(),
                          nullptr) != 1 ||
      EVP_DecryptUpdate(context.get(), nullptr, &size, base::as_bytes(parts->header).data(),
                        static_cast<int>(parts->header.size())) != 1 ||
      EVP_DecryptUpdate(context.get(), out.data(), &size, parts->ciphertext.data(),
                        static_cast<int>(parts->ciphertext.size())) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTag, parts->tag.data()) != 1 ||
      EVP_DecryptFinal_ex(context.get(), out.data() + size, &size) != 1) {
    return refused();
  }
  return out;
}

}  // namespace cardvault::custody
