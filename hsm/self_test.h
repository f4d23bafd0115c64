// What a token must get right before it is trusted with a card (DESIGN 4.2, traps 3 and 5).
#pragma once

#include "hsm/connection.h"

namespace cardvault::hsm {

// The canary's plaintext and AAD, and the text whose HMAC is a key check value: no operation of the
// vault can produce them.
inline constexpr std::string_view kCanaryText = "cardvault canary";
inline constexpr std::string_view kKcvText = "cardvault key check value/1";

// Finds out how this module treats GCM IVs, by encrypting with `key`.
[[nodiscard]] base::Result<GcmIv> probe_gcm_iv(Channel channel, const RingKey& key);

// Tests every key, newest encryption keys thoroughly, and compares them with `witness`, which it
// completes. kInternal names what the module got wrong; kConflict: a key is not the one it was.
[[nodiscard]] base::Result<void> self_test(const Connection& connection, Channel& channel,
                                           Witness& witness);

}  // namespace cardvault::hsm
