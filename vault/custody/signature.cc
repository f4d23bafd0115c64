#include "vault/custody/signature.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>

#include <algorithm>

#include "vault/base/check.h"
#include "vault/custody/digest.h"
#include "vault/seal/p256.h"

namespace cardvault::custody {
namespace {

constexpr std::string_view kP256 = "p256:";
constexpr std::string_view kEd25519 = "ed25519:";
constexpr int kHalf = 32;
using EcdsaPtr = std::unique_ptr<ECDSA_SIG, seal::OpensslFree<ECDSA_SIG_free>>;

}  // namespace

std::string public_key_text(const core::SigningPublicKey& key) {
  if (key.ed25519) return std::string(kEd25519) + hex(key.point);
  CARDVAULT_CHECK(key.point.size() == 65);
  std::vector<std::uint8_t> compressed(key.point.begin(), key.point.begin() + 1 + kHalf);
  compressed[0] = static_cast<std::uint8_t>(2 + (key.point.back() & 1U));
  return std::string(kP256) + hex(compressed);
}

std::optional<core::SigningPublicKey> parse_public_key(std::string_view text) {
  core::SigningPublicKey out;
  out.ed25519 = text.starts_with(kEd25519);
  if (!out.ed25519 && !text.starts_with(kP256)) return std::nullopt;
  auto bytes = from_hex(text.substr(out.ed25519 ? kEd25519.size() : kP256.size()));
  if (!bytes || bytes->size() != (out.ed25519 ? 32 : 33)) return std::nullopt;
  if (out.ed25519) {
    out.point = std::move(*bytes);
    return out;
  }
  if (bytes->front() != 2 && bytes->front() != 3) return std::nullopt;
  const seal::PkeyPtr key = seal::p256_key(*bytes);
  const seal::PkeyCtxPtr context(key ? EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr)
                                     : nullptr);
  if (!context || EVP_PKEY_public_check(context.get()) != 1) {
    ERR_clear_error();
    return std::nullopt;
  }
  out.point = p256_point(key.get());
  if (out.point.size() != 65) return std::nullopt;
  return out;
}

seal::PkeyPtr openssl_key(const core::SigningPublicKey& key) {
  if (!key.ed25519) return seal::p256_key(key.point);
  return seal::PkeyPtr(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.point.data(), key.point.size()));
}

std::vector<std::uint8_t> p256_point(const EVP_PKEY* key) {
  char group[32] = {};
  BIGNUM* x = nullptr;
  BIGNUM* y = nullptr;
  const bool known = EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group,
                                                    sizeof group, nullptr) == 1 &&
                     std::string_view(group) == "prime256v1" &&
                     EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x) == 1 &&
                     EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &y) == 1;
  const seal::NumberPtr own_x(x);
  const seal::NumberPtr own_y(y);
  ERR_clear_error();
  if (!known) return {};
  std::vector<std::uint8_t> out(65);
  out[0] = 4;
  CARDVAULT_CHECK(BN_bn2binpad(x, out.data() + 1, kHalf) == kHalf);
  CARDVAULT_CHECK(BN_bn2binpad(y, out.data() + 1 + kHalf, kHalf) == kHalf);
  return out;
}

base::Result<Signature> sign_es256(EVP_PKEY* key, std::string_view message) {
  const seal::DigestCtxPtr context(EVP_MD_CTX_new());
  const auto bytes = base::as_bytes(message);
  std::vector<std::uint8_t> der(80);
  std::size_t size = der.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), der.data(), &size, bytes.data(), bytes.size()) != 1) {
    return seal::openssl_failure("custodian.sign");
  }
  const unsigned char* at = der.data();
  const EcdsaPtr parsed(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
  if (!parsed) return seal::openssl_failure("custodian.sign");
  Signature out(2UZ * kHalf);
  BN_bn2binpad(ECDSA_SIG_get0_r(parsed.get()), out.data(), kHalf);
  BN_bn2binpad(ECDSA_SIG_get0_s(parsed.get()), out.data() + kHalf, kHalf);
  return out;
}

bool verify(const core::SigningPublicKey& key, std::string_view message,
            std::span<const std::uint8_t> signature) {
  if (signature.size() != 2UZ * kHalf) return false;
  const seal::PkeyPtr pkey = openssl_key(key);
  if (!pkey) return false;
  const std::vector<std::uint8_t> form =
      key.ed25519 ? std::vector<std::uint8_t>(signature.begin(), signature.end())
                  : seal::ecdsa_der(signature);
  const seal::DigestCtxPtr context(EVP_MD_CTX_new());
  const auto bytes = base::as_bytes(message);
  const bool good =
      context &&
      EVP_DigestVerifyInit(context.get(), nullptr, key.ed25519 ? nullptr : EVP_sha256(), nullptr,
                           pkey.get()) == 1 &&
      EVP_DigestVerify(context.get(), form.data(), form.size(), bytes.data(), bytes.size()) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace cardvault::custody
