#include "vault/seal/jwe.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include <array>
#include <utility>
#include <vector>

#include "vault/seal/base64url.h"
#include "vault/seal/certificate_parts.h"
#include "vault/seal/concat_kdf.h"
#include "vault/seal/public_jwk.h"

namespace cardvault::seal {
namespace {

constexpr std::string_view kEncryption = "A256GCM";
constexpr unsigned kKeyBits = 256;
constexpr std::size_t kIv = 12;     // RFC 7518 5.3
constexpr std::size_t kTag = 16;    // RFC 7518 5.3
constexpr int kPeerWasChecked = 0;  // in recipient_public_key(): it takes as long as agreeing

// The content encryption key, and what of it stands in the message.
struct ContentKey {
  base::SecretBuffer key;
  std::string header;  // the protected header's members that `alg` adds, with a comma before each
  std::vector<std::uint8_t> encrypted_key;  // empty in direct agreement
};

base::Result<ContentKey> agree(const RecipientPublicKey& recipient) {
  const PkeyPtr ephemeral(EVP_PKEY_Q_keygen(
      nullptr, nullptr, "EC", recipient.kind == RecipientKey::kP256 ? "P-256" : "P-384"));
  if (!ephemeral) return openssl_failure("jwe.ephemeral");
  const PkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, ephemeral.get(), nullptr));
  std::size_t size = 0;
  if (!context || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer_ex(context.get(), recipient.key.get(), kPeerWasChecked) != 1 ||
      EVP_PKEY_derive(context.get(), nullptr, &size) != 1) {
    return openssl_failure("jwe.derive");
  }
  base::SecretBuffer z(size);
  if (EVP_PKEY_derive(context.get(), z.data(), &size) != 1) return openssl_failure("jwe.derive");
  z.resize(size);
  auto key = concat_kdf(z, kEncryption, {}, {}, kKeyBits);
  if (!key) return std::unexpected(key.error());
  auto jwk = public_jwk(ephemeral.get());
  if (!jwk) return std::unexpected(jwk.error());
  return ContentKey{std::move(*key), R"(,"epk":)" + *jwk, {}};
}

base::Result<ContentKey> transport(const RecipientPublicKey& recipient) {
  ContentKey out{base::SecretBuffer(kKeyBits / 8), "", {}};
  if (RAND_priv_bytes(out.key.data(), static_cast<int>(out.key.size())) != 1) {
    return openssl_failure("jwe.random");
  }
  const PkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, recipient.key.get(), nullptr));
  std::size_t size = 0;
  if (!context || EVP_PKEY_encrypt_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) != 1 ||
      EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), EVP_sha256()) != 1 ||
      EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), EVP_sha256()) != 1 ||
      EVP_PKEY_encrypt(context.get(), nullptr, &size, out.key.data(), out.key.size()) != 1) {
    return openssl_failure("jwe.oaep");
  }
  out.encrypted_key.resize(size);
  if (EVP_PKEY_encrypt(context.get(), out.encrypted_key.data(), &size, out.key.data(),
                       out.key.size()) != 1) {
    return openssl_failure("jwe.oaep");
  }
  out.encrypted_key.resize(size);
  return out;
}

struct Encrypted {
  std::array<std::uint8_t, kIv> iv{};
  std::vector<std::uint8_t> ciphertext;
  std::array<std::uint8_t, kTag> tag{};
};

base::Result<Encrypted> encrypt(const base::SecretBuffer& key, std::string_view aad,
                                const base::SecretBuffer& plaintext) {
  Encrypted out;
  out.ciphertext.resize(plaintext.size());
  const CipherCtxPtr context(EVP_CIPHER_CTX_new());
  int size = 0;
  if (!context || RAND_bytes(out.iv.data(), kIv) != 1 ||
      EVP_EncryptInit_ex2(context.get(), EVP_aes_256_gcm(), key.data(), out.iv.data(), nullptr) !=
          1 ||
      EVP_EncryptUpdate(context.get(), nullptr, &size, base::as_bytes(aad).data(),
                        static_cast<int>(aad.size())) != 1 ||
      EVP_EncryptUpdate(context.get(), out.ciphertext.data(), &size, plaintext.data(),
                        static_cast<int>(plaintext.size())) != 1 ||
      EVP_EncryptFinal_ex(context.get(), out.ciphertext.data() + size, &size) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTag, out.tag.data()) != 1) {
    return openssl_failure("jwe.encrypt");
  }
  return out;
}

}  // namespace

base::Result<std::shared_ptr<const RecipientPublicKey>> recipient_public_key(
    std::span<const std::uint8_t> der) {
  const X509Ptr certificate = certificate_from_der(der);
  const auto facts = certificate ? facts_of(certificate.get()) : std::nullopt;
  if (!facts) return openssl_failure("recipient.certificate");
  auto out = std::make_shared<RecipientPublicKey>();
  out->key.reset(X509_get_pubkey(certificate.get()));
  out->kind = facts->key;
  const PkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, out->key.get(), nullptr));
  if (!context || EVP_PKEY_public_check(context.get()) != 1) {
    return openssl_failure("recipient.key");  // SP 800-56A 5.6.2.3.3
  }
  const auto jwk = public_jwk(out->key.get());
  if (!jwk) return std::unexpected(jwk.error());
  out->kid = jwk_thumbprint(*jwk);
  return out;
}

base::Result<std::string> encrypt_to(const RecipientPublicKey& recipient, std::string_view type,
                                     const base::SecretBuffer& signed_token) {
  const bool rsa = recipient.kind == RecipientKey::kRsa;
  auto key = rsa ? transport(recipient) : agree(recipient);
  if (!key) return std::unexpected(key.error());
  const std::string header = std::string(R"({"alg":")") + (rsa ? "RSA-OAEP-256" : "ECDH-ES") +
                             R"(","enc":")" + std::string(kEncryption) + R"(","kid":")" +
                             recipient.kid + R"(","typ":")" + std::string(type) +
                             R"(","cty":"JWT")" + key->header + "}";
  std::string out = base64url(base::as_bytes(header));  // RFC 7516 5.1: also the AAD
  const auto encrypted = encrypt(key->key, out, signed_token);
  if (!encrypted) return std::unexpected(encrypted.error());
  for (const std::span<const std::uint8_t> part :
       {std::span<const std::uint8_t>(key->encrypted_key),
        std::span<const std::uint8_t>(encrypted->iv),
        std::span<const std::uint8_t>(encrypted->ciphertext),
        std::span<const std::uint8_t>(encrypted->tag)}) {
    out += '.';
    out += base64url(part);
  }
  return out;
}

}  // namespace cardvault::seal
