// The public half of a signing key, as read from the token.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hsm/pkcs11.h"

namespace cardvault::hsm {

// CKA_EC_POINT without its DER wrapping, which some modules leave out: 65 bytes 04 ‖ x ‖ y for
// P-256, 32 for Ed25519. kInternal for anything else.
[[nodiscard]] base::Result<std::vector<std::uint8_t>> unwrap_point(const std::string& ec_point);

// The point of the public key object with this label on the token; kKeyMissing when there is none.
[[nodiscard]] base::Result<std::vector<std::uint8_t>> find_public_point(CK_FUNCTION_LIST* fn,
                                                                        CK_SESSION_HANDLE session,
                                                                        const std::string& label);

}  // namespace cardvault::hsm
