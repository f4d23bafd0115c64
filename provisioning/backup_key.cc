#include "provisioning/backup_key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/kdf.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>

#include <array>

#include "vault/base/check.h"
#include "vault/custody/digest.h"

namespace cardvault::provisioning {
namespace {

constexpr std::string_view kInfo = "cardvault backup recipient v1";
constexpr std::size_t kScalarBytes = 48;  // 128 bits more than the order has

using GroupPtr = std::unique_ptr<EC_GROUP, seal::OpensslFree<EC_GROUP_free>>;
using PointPtr = std::unique_ptr<EC_POINT, seal::OpensslFree<EC_POINT_free>>;
using SecretNumberPtr = std::unique_ptr<BIGNUM, seal::OpensslFree<BN_clear_free>>;
using ContextPtr = std::unique_ptr<BN_CTX, seal::OpensslFree<BN_CTX_free>>;
using KdfPtr = std::unique_ptr<EVP_KDF, seal::OpensslFree<EVP_KDF_free>>;
using KdfCtxPtr = std::unique_ptr<EVP_KDF_CTX, seal::OpensslFree<EVP_KDF_CTX_free>>;
using BuilderPtr = std::unique_ptr<OSSL_PARAM_BLD, seal::OpensslFree<OSSL_PARAM_BLD_free>>;
using ParamsPtr = std::unique_ptr<OSSL_PARAM, seal::OpensslFree<OSSL_PARAM_free>>;

base::SecretBuffer expand(const base::SecretBuffer& secret, const std::string& salt) {
  const KdfPtr kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const KdfCtxPtr context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  CARDVAULT_CHECK(context != nullptr);
  const auto octets = [](const char* name, const void* data, std::size_t size) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<void*>(data), size);
  };
  std::string digest = "SHA256";
  const std::array<OSSL_PARAM, 5> params = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
      octets(OSSL_KDF_PARAM_KEY, secret.data(), secret.size()),
      octets(OSSL_KDF_PARAM_SALT, salt.data(), salt.size()),
      octets(OSSL_KDF_PARAM_INFO, kInfo.data(), kInfo.size()), OSSL_PARAM_construct_end()};
  base::SecretBuffer out(kScalarBytes);
  CARDVAULT_CHECK(EVP_KDF_derive(context.get(), out.data(), out.size(), params.data()) == 1);
  return out;
}

SecretNumberPtr scalar_of(const base::SecretBuffer& bytes, const EC_GROUP* group, BN_CTX* context) {
  SecretNumberPtr number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  const seal::NumberPtr top(BN_dup(EC_GROUP_get0_order(group)));
  CARDVAULT_CHECK(number && top && BN_sub_word(top.get(), 1) == 1);
  BN_set_flags(number.get(), BN_FLG_CONSTTIME);
  CARDVAULT_CHECK(BN_mod(number.get(), number.get(), top.get(), context) == 1);
  CARDVAULT_CHECK(BN_add_word(number.get(), 1) == 1);
  return number;
}

}  // namespace

seal::PkeyPtr backup_opener(const base::SecretBuffer& backup_key, const std::string& vault) {
  CARDVAULT_CHECK(backup_key.size() == 32);
  const GroupPtr group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  const ContextPtr context(BN_CTX_secure_new());
  CARDVAULT_CHECK(group && context);
  const SecretNumberPtr scalar = scalar_of(expand(backup_key, vault), group.get(), context.get());
  const PointPtr point(EC_POINT_new(group.get()));
  CARDVAULT_CHECK(point && EC_POINT_mul(group.get(), point.get(), scalar.get(), nullptr, nullptr,
                                        context.get()) == 1);
  std::array<std::uint8_t, 65> encoded{};
  CARDVAULT_CHECK(EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED,
                                     encoded.data(), encoded.size(),
                                     context.get()) == encoded.size());
  const BuilderPtr builder(OSSL_PARAM_BLD_new());
  CARDVAULT_CHECK(
      builder &&
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, scalar.get()) == 1 &&
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, encoded.data(),
                                       encoded.size()) == 1);
  const ParamsPtr params(OSSL_PARAM_BLD_to_param(builder.get()));
  const seal::PkeyCtxPtr making(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  CARDVAULT_CHECK(params && making && EVP_PKEY_fromdata_init(making.get()) == 1 &&
                  EVP_PKEY_fromdata(making.get(), &key, EVP_PKEY_KEYPAIR, params.get()) == 1);
  return seal::PkeyPtr(key);
}

core::SigningPublicKey backup_recipient(const base::SecretBuffer& backup_key,
                                        const std::string& vault) {
  return {.ed25519 = false, .point = custody::p256_point(backup_opener(backup_key, vault).get())};
}

}  // namespace cardvault::provisioning
