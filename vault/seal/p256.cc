#include "vault/seal/p256.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/params.h>

#include "vault/base/check.h"

namespace cardvault::seal {
namespace {

constexpr int kHalf = 32;
using EcdsaPtr = std::unique_ptr<ECDSA_SIG, OpensslFree<ECDSA_SIG_free>>;

}  // namespace

PkeyPtr p256_key(std::span<const std::uint8_t> point) {
  char group[] = "prime256v1";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                        const_cast<std::uint8_t*>(point.data()), point.size()),
      OSSL_PARAM_construct_end()};
  const PkeyCtxPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
    ERR_clear_error();
    return {};
  }
  return PkeyPtr(key);
}

std::vector<std::uint8_t> ecdsa_der(std::span<const std::uint8_t> raw) {
  CARDVAULT_CHECK(raw.size() == 2 * kHalf);
  const EcdsaPtr parsed(ECDSA_SIG_new());
  CARDVAULT_CHECK(parsed != nullptr);
  ECDSA_SIG_set0(parsed.get(), BN_bin2bn(raw.data(), kHalf, nullptr),
                 BN_bin2bn(raw.data() + kHalf, kHalf, nullptr));
  std::vector<std::uint8_t> out(80);
  unsigned char* at = out.data();
  out.resize(static_cast<std::size_t>(i2d_ECDSA_SIG(parsed.get(), &at)));
  return out;
}

}  // namespace cardvault::seal
