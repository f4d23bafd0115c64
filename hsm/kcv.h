// Key check values: the same on every token that holds the same key (DESIGN 4). The module's own
// CKA_CHECK_VALUE is not used: modules disagree about it.
#pragma once

#include <string>

#include "hsm/key_spec.h"

namespace cardvault::hsm {

struct Kcv {
  std::string hex;  // 5 bytes; empty where the module cannot compute it
  const char* kind = "";
};

// AES: leftmost 5 bytes of the CMAC (SP 800-38B) of the zero block, on a session copy that may only
// sign and is destroyed at once; HMAC keys: first 5 bytes of the HMAC of a fixed label; key pairs:
// first 5 bytes of SHA-256 of the public key.
[[nodiscard]] Kcv compute_kcv(const Channel& channel, CK_OBJECT_HANDLE key, KeyKind kind,
                              const std::string& label);

}  // namespace cardvault::hsm
