// Shamir's secret sharing over GF(2^8) with the polynomial 0x11d (Shamir 1979; ISO/IEC 19592-2),
// by libgfshare.
//
// Any K parts give the secret back, K-1 say nothing about it. Parts carry no proof of being right:
// a wrong one gives a wrong secret. share_register.h checks each by its digest before.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vault/base/secret.h"

namespace cardvault::custody {

inline constexpr unsigned kMaxParts = 16;
inline constexpr unsigned kMinThreshold = 2;  // split knowledge (PCI DSS 3.7.6)

struct Part {
  std::uint8_t index = 0;  // 1..N, the x coordinate
  base::SecretBuffer bytes;
};

// REQUIRES: kMinThreshold <= threshold <= parts <= kMaxParts and a secret that is not empty.
// Random coefficients from getrandom(2). One thread at a time: the library keeps its source of
// random bytes in a global.
[[nodiscard]] std::vector<Part> split(const base::SecretBuffer& secret, unsigned threshold,
                                      unsigned parts);

// REQUIRES: parts of one length, each index once, not 0. With fewer than the threshold, or any
// wrong one, the outcome is random bytes.
[[nodiscard]] base::SecretBuffer combine(std::span<const Part> parts);

}  // namespace cardvault::custody
