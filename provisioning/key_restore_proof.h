// The proof that a backup of keys can be restored: on a token that is thrown away again.
#pragma once

#include <span>

#include "hsm/key_maker.h"

namespace cardvault::provisioning {

// Makes a SoftHSM token in a folder of its own, brings the keys back on it, and compares their
// check values with the ones recorded; then overwrites and removes it. For a token of another
// vendor it proves that the backup is whole and under this backup key, and that RFC 3394 elsewhere
// opens it. The backup key is wiped in any case. REQUIRES no module initialised in this process.
// Throws ToolError(kLocal) when a key does not come back as it was, or StartupError without
// SoftHSM.
void prove_restore(std::span<const hsm::WrappedKey> keys, base::SecretBuffer backup_key);

}  // namespace cardvault::provisioning
