#include "tests/hsm/signature_check.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <memory>
#include <vector>

namespace cardvault::hsm::testing {
namespace {

using PkeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

PkeyPtr p256_key(std::span<const std::uint8_t> point) {
  char group[] = "prime256v1";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                        const_cast<std::uint8_t*>(point.data()), point.size()),
      OSSL_PARAM_construct_end()};
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr), &EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
    return {nullptr, &EVP_PKEY_free};
  }
  return {key, &EVP_PKEY_free};
}

std::vector<std::uint8_t> der_of(std::span<const std::uint8_t> raw) {
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> parsed(ECDSA_SIG_new(),
                                                                     &ECDSA_SIG_free);
  ECDSA_SIG_set0(parsed.get(), BN_bin2bn(raw.data(), 32, nullptr),
                 BN_bin2bn(raw.data() + 32, 32, nullptr));
  std::vector<std::uint8_t> out(80);
  unsigned char* at = out.data();
  out.resize(static_cast<std::size_t>(i2d_ECDSA_SIG(parsed.get(), &at)));
  return out;
}

}  // namespace

bool verifies(std::span<const std::uint8_t> point, std::span<const std::uint8_t> data,
              std::span<const std::uint8_t> signature) {
  if (signature.size() != 64) return false;
  const bool edwards = point.size() == 32;
  const PkeyPtr key = edwards ? PkeyPtr(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr,
                                                                    point.data(), point.size()),
                                        &EVP_PKEY_free)
                              : p256_key(point);
  if (!key) return false;
  std::vector<std::uint8_t> form(signature.begin(), signature.end());
  if (!edwards) form = der_of(signature);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  return EVP_DigestVerifyInit(context.get(), nullptr, edwards ? nullptr : EVP_sha256(), nullptr,
                              key.get()) == 1 &&
         EVP_DigestVerify(context.get(), form.data(), form.size(), data.data(), data.size()) == 1;
}

}  // namespace cardvault::hsm::testing
