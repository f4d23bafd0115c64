#include "provisioning/backup_stream.h"

#include <algorithm>
#include <array>

#include "vault/base/check.h"

namespace cardvault::provisioning {
namespace {
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kCounterAt = 7;
}  // namespace

std::uint64_t chunks_of(std::uint64_t bytes) noexcept {
  return std::max<std::uint64_t>(1, (bytes + kChunkBytes - 1) / kChunkBytes);
}

std::uint64_t sealed_size(std::uint64_t bytes) noexcept {
  return bytes + chunks_of(bytes) * kChunkTag;
}

ChunkCipher::ChunkCipher(const base::SecretBuffer& key, const custody::Digest& context)
    : key_(key), context_(context), cipher_(EVP_CIPHER_CTX_new()) {
  CARDVAULT_CHECK(key_.size() == 32 && cipher_ != nullptr);
}

void ChunkCipher::begin(bool encrypt, bool last) {
  std::array<std::uint8_t, kNonceBytes> nonce{};
  for (int i = 0; i < 4; ++i) {
    nonce.at(kCounterAt + static_cast<std::size_t>(i)) =
        static_cast<std::uint8_t>(next_ >> (24 - 8 * i));
  }
  nonce.back() = last ? 1 : 0;
  CARDVAULT_CHECK(++next_ != 0);
  int size = 0;
  CARDVAULT_CHECK(EVP_CipherInit_ex2(cipher_.get(), EVP_aes_256_gcm(), key_.data(), nonce.data(),
                                     encrypt ? 1 : 0, nullptr) == 1);
  CARDVAULT_CHECK(EVP_CipherUpdate(cipher_.get(), nullptr, &size, context_.data(),
                                   static_cast<int>(context_.size())) == 1);
}

std::vector<std::uint8_t> ChunkCipher::seal(std::span<const std::uint8_t> chunk, bool last) {
  CARDVAULT_CHECK(chunk.size() == kChunkBytes || (last && chunk.size() < kChunkBytes));
  begin(true, last);
  std::vector<std::uint8_t> out(chunk.size() + kChunkTag);
  int size = 0;
  CARDVAULT_CHECK(EVP_EncryptUpdate(cipher_.get(), out.data(), &size, chunk.data(),
                                    static_cast<int>(chunk.size())) == 1);
  CARDVAULT_CHECK(EVP_EncryptFinal_ex(cipher_.get(), out.data() + size, &size) == 1);
  CARDVAULT_CHECK(EVP_CIPHER_CTX_ctrl(cipher_.get(), EVP_CTRL_AEAD_GET_TAG, kChunkTag,
                                      out.data() + chunk.size()) == 1);
  return out;
}

base::Result<std::vector<std::uint8_t>> ChunkCipher::open(std::span<const std::uint8_t> sealed,
                                                          bool last) {
  const auto refused = [] {
    ERR_clear_error();
    return base::fail(base::Code::kVerificationFailed, "chunk of a backup");
  };
  if (sealed.size() < kChunkTag || sealed.size() > kChunkBytes + kChunkTag) return refused();
  begin(false, last);
  std::vector<std::uint8_t> out(sealed.size() - kChunkTag);
  std::array<std::uint8_t, kChunkTag> tag{};
  std::ranges::copy(sealed.last(kChunkTag), tag.begin());
  int size = 0;
  if (EVP_DecryptUpdate(cipher_.get(), out.data(), &size, sealed.data(),
                        static_cast<int>(out.size())) != 1 ||
      EVP_CIPHER_CTX_ctrl(cipher_.get(), EVP_CTRL_AEAD_SET_TAG, kChunkTag, tag.data()) != 1 ||
      EVP_DecryptFinal_ex(cipher_.get(), out.data() + size, &size) != 1) {
    return refused();
  }
  return out;
}

}  // namespace cardvault::provisioning
