// The custodians' backup key as a token sees it for a moment (DESIGN 4.1): a private session key
// that may wrap, or may unwrap, and nothing else. It is never a token object.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hsm/cipher.h"
#include "hsm/key_spec.h"
#include "hsm/module.h"
#include "vault/base/secret.h"

namespace cardvault::hsm {

inline constexpr std::size_t kBackupKeyBytes = 32;
// RFC 3394 adds one block of 64 bits to what it wraps.
inline constexpr std::size_t kWrappedBytes = kBackupKeyBytes + 8;

// Whether this token wraps and unwraps by CKM_AES_KEY_WRAP (RFC 3394, PKCS#11 3.0 section 2.14).
[[nodiscard]] bool can_wrap(const Module& module, CK_SLOT_ID slot);

// Destroyed with its object. Move-only; of one session and its thread.
class WrappingKey {
 public:
  enum class Use : std::uint8_t { kWrap, kUnwrap };

  // Imports 32 bytes, which are wiped in any case, and reads the attributes back. The session must
  // be logged in. kInvalidArgument for another length, kInternal when the module did not make what
  // was asked for, else the errors of C_CreateObject.
  [[nodiscard]] static base::Result<WrappingKey> import(const Channel& channel,
                                                        base::SecretBuffer bytes, Use use);
  WrappingKey(WrappingKey&& other) noexcept;
  WrappingKey& operator=(WrappingKey&&) = delete;  // one object, one destruction
  WrappingKey(const WrappingKey&) = delete;        // one object, one destruction
  ~WrappingKey();

  // REQUIRES Use::kWrap. 40 bytes. kNotAllowed when the key may not leave the token.
  [[nodiscard]] base::Result<std::vector<std::uint8_t>> wrap(CK_OBJECT_HANDLE key) const;
  // REQUIRES Use::kUnwrap. Makes a token object: sensitive, not extractable, with the uses of its
  // kind and no other. kRecordDamaged when the bytes are not what this key wrapped.
  [[nodiscard]] base::Result<CK_OBJECT_HANDLE> unwrap(std::span<const std::uint8_t> wrapped,
                                                      const KeySpec& spec) const;

 private:
  WrappingKey(const Channel& channel, CK_OBJECT_HANDLE handle)
      : fn_(channel.fn), session_(channel.session), handle_(handle) {}
  CK_FUNCTION_LIST* fn_;
  CK_SESSION_HANDLE session_;
  CK_OBJECT_HANDLE handle_;
};

}  // namespace cardvault::hsm
