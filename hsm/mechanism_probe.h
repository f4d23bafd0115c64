// Asks a token for every mechanism the vault knows a use for.
#pragma once

#include <vector>

#include "hsm/mechanisms.h"
#include "hsm/module.h"

namespace cardvault::hsm {

// `cbc_hmac`: suite 2 is wanted even where AES-GCM is present.
[[nodiscard]] std::vector<MechanismFinding> probe_mechanisms(const Module& module, CK_SLOT_ID slot,
                                                             const CK_TOKEN_INFO& info,
                                                             bool cbc_hmac);
[[nodiscard]] bool has_gcm(const Module& module, CK_SLOT_ID slot);
[[nodiscard]] bool has_ed25519(const Module& module, CK_SLOT_ID slot);

}  // namespace cardvault::hsm
