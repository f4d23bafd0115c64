#include "vault/seal/concat_kdf.h"

#include <array>
#include <initializer_list>

#include "vault/base/check.h"
#include "vault/seal/openssl_owned.h"

namespace cardvault::seal {
namespace {

constexpr std::size_t kDigest = 32;

std::array<std::uint8_t, 4> big_endian(std::size_t number) {
  const auto n = static_cast<std::uint32_t>(number);
  return {static_cast<std::uint8_t>(n >> 24U), static_cast<std::uint8_t>(n >> 16U),
          static_cast<std::uint8_t>(n >> 8U), static_cast<std::uint8_t>(n)};
}

}  // namespace

base::Result<base::SecretBuffer> concat_kdf(std::span<const std::uint8_t> z,
                                            std::string_view algorithm,
                                            std::span<const std::uint8_t> apu,
                                            std::span<const std::uint8_t> apv, unsigned bits) {
  CARDVAULT_CHECK(bits % 8 == 0 && bits / 8 <= kDigest);
  const auto counter = big_endian(1);
  const auto algorithm_size = big_endian(algorithm.size());
  const auto apu_size = big_endian(apu.size());
  const auto apv_size = big_endian(apv.size());
  const auto key_bits = big_endian(bits);
  const DigestCtxPtr digest(EVP_MD_CTX_new());
  if (!digest || EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) != 1) {
    return openssl_failure("kdf.init");
  }
  using Bytes = std::span<const std::uint8_t>;
  for (const Bytes part : {Bytes(counter), z, Bytes(algorithm_size), base::as_bytes(algorithm),
                           Bytes(apu_size), apu, Bytes(apv_size), apv, Bytes(key_bits)}) {
    if (EVP_DigestUpdate(digest.get(), part.data(), part.size()) != 1) {
      return openssl_failure("kdf.update");
    }
  }
  base::SecretBuffer key(kDigest);
  if (EVP_DigestFinal_ex(digest.get(), key.data(), nullptr) != 1) return openssl_failure("kdf");
  key.resize(bits / 8);
  return key;
}

}  // namespace cardvault::seal
