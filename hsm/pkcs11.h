// The only door to p11-kit's headers, with the constants of PKCS#11 3.0 that 0.24 lacks.
#pragma once

#define P11_KIT_DISABLE_DEPRECATED 1
#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#include "vault/base/result.h"

namespace cardvault::hsm {

inline constexpr CK_RV kCkrAeadDecryptFailed = 0x42;  // PKCS#11 3.0
inline constexpr CK_RV kCkrPinTooWeak = 0x1c3;

[[nodiscard]] inline std::unexpected<base::Error> refuse(base::Code code, const char* operation,
                                                         CK_RV rv) {
  return base::fail(code, operation, static_cast<long>(rv));
}
[[nodiscard]] inline CK_RV rv_of(const base::Error& error) {
  return static_cast<CK_RV>(error.number);
}

}  // namespace cardvault::hsm
