// The vault's keys on a token, found once per login, never per call.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hsm/pkcs11.h"
#include "vault/core/crypto.h"

namespace cardvault::hsm {

enum class SignKind : std::uint8_t { kNone, kEs256, kEd25519 };

struct RingKey {
  core::KeyRef ref;
  CK_OBJECT_HANDLE on_token = 0;      // the token's own object; dead once the token is gone
  CK_OBJECT_HANDLE working = 0;       // its session copy, or the same
  CK_OBJECT_HANDLE mac_on_token = 0;  // suite 2's second key ("pan-enc-mac/1"); 0: none
  CK_OBJECT_HANDLE mac_working = 0;
  SignKind sign = SignKind::kNone;
  std::vector<std::uint8_t> public_key;  // 65 bytes 04 ‖ x ‖ y, or 32; empty: not on token
};

// Parses "pan-enc/12"; `suffix` is "" or "-mac". nullopt for every other label, "pan-enc/0" and
// "pan-enc/012" included.
[[nodiscard]] std::optional<core::KeyRef> parse_key_label(std::string_view label,
                                                          std::string_view suffix);
// "pan-enc-mac/1": what suite 2's second key is called.
[[nodiscard]] std::string second_key_label(const core::KeyRef& key);
// AES keys, which suite 2 gives a second key.
[[nodiscard]] constexpr bool is_encryption(core::KeyPurpose purpose) {
  return purpose == core::KeyPurpose::kPanEnc || purpose == core::KeyPurpose::kIdEnc ||
         purpose == core::KeyPurpose::kSecretEnc;
}

class KeyRing {
 public:
  // Finds every key by label (CKA_TOKEN=true, or copies would turn up too), but for those left out,
  // and, with `copies`, makes session copies that live as long as `session`. A refused copy falls
  // back to the token's key. kConflict when two keys have one label; what a call that failed means
  // (error.h) otherwise: a key that could not be read is not a key that is missing.
  [[nodiscard]] static base::Result<KeyRing> find(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE session,
                                                  bool copies,
                                                  const std::set<core::KeyRef>& left_out = {});
  // nullptr when there is no such key.
  [[nodiscard]] const RingKey* get(core::KeyRef ref) const noexcept;
  [[nodiscard]] const RingKey* newest(core::KeyPurpose purpose) const noexcept;
  [[nodiscard]] std::span<const RingKey> of(core::KeyPurpose purpose) const noexcept {
    return keys_[static_cast<std::size_t>(purpose)];
  }
  // How many encryption and MAC keys the module refused to copy.
  [[nodiscard]] unsigned refused_copies() const noexcept { return refused_copies_; }

 private:
  [[nodiscard]] base::Result<void> add_secret_keys(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE session);
  [[nodiscard]] base::Result<void> add_private_keys(CK_FUNCTION_LIST* fn,
                                                    CK_SESSION_HANDLE session);
  void leave_out(const std::set<core::KeyRef>& keys);
  [[nodiscard]] base::Result<void> copy_all(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE session);

  std::array<std::vector<RingKey>, core::kKeyPurposes> keys_;  // by version, ascending
  unsigned refused_copies_ = 0;
};

}  // namespace cardvault::hsm
