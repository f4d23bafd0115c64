// A long text sealed in pieces, so that neither sealing nor opening ever holds more than one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vault/base/result.h"
#include "vault/base/secret.h"
#include "vault/custody/digest.h"
#include "vault/seal/openssl_owned.h"

namespace cardvault::provisioning {

inline constexpr std::size_t kChunkBytes = 65536;  // of plaintext; the last one may be shorter
inline constexpr std::size_t kChunkTag = 16;

// STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its
// Nonce-Reuse Misuse-Resistance", 2015, section 7) over AES-256-GCM (SP 800-38D): chunk i has the
// 96-bit nonce 00 (7 bytes) ‖ i (4 bytes, big-endian) ‖ 01 for the last one, else 00. So a chunk
// that was changed, moved, left out or put in does not open, and a text cut anywhere lacks its last
// chunk. The key must be of this text alone; `context` is bound to every chunk.
class ChunkCipher {
 public:
  // REQUIRES a key of 32 bytes. Aborts when OpenSSL has no memory.
  ChunkCipher(const base::SecretBuffer& key, const custody::Digest& context);

  // The next chunk and its tag. REQUIRES kChunkBytes, or fewer in the last one; fewer than 2^32
  // chunks.
  [[nodiscard]] std::vector<std::uint8_t> seal(std::span<const std::uint8_t> chunk, bool last);
  // kVerificationFailed when it is not the next chunk of this text.
  [[nodiscard]] base::Result<std::vector<std::uint8_t>> open(std::span<const std::uint8_t> sealed,
                                                             bool last);

 private:
  void begin(bool encrypt, bool last);

  base::SecretBuffer key_;
  custody::Digest context_;
  seal::CipherCtxPtr cipher_;
  std::uint32_t next_ = 0;
};

// Of a text of so many bytes, at least one chunk.
[[nodiscard]] std::uint64_t chunks_of(std::uint64_t bytes) noexcept;
[[nodiscard]] std::uint64_t sealed_size(std::uint64_t bytes) noexcept;

}  // namespace cardvault::provisioning
