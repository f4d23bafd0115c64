#include "vault/seal/sha256_stream.h"

#include "vault/base/check.h"

namespace cardvault::seal {

Sha256Stream::Sha256Stream() : context_(EVP_MD_CTX_new()) {
  CARDVAULT_CHECK(context_ && EVP_DigestInit_ex2(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256Stream::add(std::span<const std::uint8_t> bytes) {
  CARDVAULT_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

std::array<std::uint8_t, 32> Sha256Stream::finish() {
  std::array<std::uint8_t, 32> out{};
  CARDVAULT_CHECK(EVP_DigestFinal_ex(context_.get(), out.data(), nullptr) == 1);
  return out;
}

}  // namespace cardvault::seal
