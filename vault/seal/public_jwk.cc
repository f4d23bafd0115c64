#include "vault/seal/public_jwk.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/sha.h>

#include <array>
#include <vector>

#include "vault/base/secret.h"
#include "vault/seal/base64url.h"
#include "vault/seal/openssl_owned.h"

namespace cardvault::seal {
namespace {

// Big-endian, at least `width` bytes; empty when the key has no such number.
std::vector<std::uint8_t> number_of(const EVP_PKEY* key, const char* name, std::size_t width) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &number) != 1) return {};
  const NumberPtr owned(number);
  std::vector<std::uint8_t> out(
      std::max(width, static_cast<std::size_t>(BN_num_bytes(owned.get()))));
  BN_bn2binpad(owned.get(), out.data(), static_cast<int>(out.size()));
  return out;
}

base::Result<std::string> ec_jwk_of(const EVP_PKEY* key) {
  std::array<char, 64> group{};
  if (EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) != 1) {
    return openssl_failure("jwk.group");
  }
  const int curve = OBJ_txt2nid(group.data());
  if (curve != NID_X9_62_prime256v1 && curve != NID_secp384r1) {
    return base::fail(base::Code::kInternal, "jwk.curve", curve);
  }
  const bool p256 = curve == NID_X9_62_prime256v1;
  const std::size_t width = p256 ? 32 : 48;
  const auto x = number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, width);
  const auto y = number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, width);
  if (x.size() != width || y.size() != width) return openssl_failure("jwk.point");
  return ec_jwk(p256 ? "P-256" : "P-384", x, y);
}

}  // namespace

std::string ec_jwk(std::string_view curve, std::span<const std::uint8_t> x,
                   std::span<const std::uint8_t> y) {
  return R"({"crv":")" + std::string(curve) + R"(","kty":"EC","x":")" + base64url(x) +
         R"(","y":")" + base64url(y) + R"("})";
}

std::string rsa_jwk(std::span<const std::uint8_t> n, std::span<const std::uint8_t> e) {
  return R"({"e":")" + base64url(e) + R"(","kty":"RSA","n":")" + base64url(n) + R"("})";
}

base::Result<std::string> public_jwk(const EVP_PKEY* key) {
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) return ec_jwk_of(key);
  const auto n = number_of(key, OSSL_PKEY_PARAM_RSA_N, 1);
  const auto e = number_of(key, OSSL_PKEY_PARAM_RSA_E, 1);
  if (n.empty() || e.empty()) return openssl_failure("jwk.rsa");
  return rsa_jwk(n, e);
}

std::string jwk_thumbprint(std::string_view canonical) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(base::as_bytes(canonical).data(), canonical.size(), digest.data());
  return base64url(digest);
}

}  // namespace cardvault::seal
