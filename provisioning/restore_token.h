// The new token of a restored vault.
#pragma once

#include <string>
#include <vector>

#include "hsm/key_maker.h"
#include "provisioning/init_files.h"

namespace cardvault::provisioning {

struct RestoredToken {
  std::string uri;                       // without a pin-source
  std::vector<hsm::KeyReport> fresh;     // keys that were made, as read back
  std::vector<hsm::WrappedKey> wrapped;  // those of them that don't sign, for the next backup
  core::SigningPublicKey audit_key;      // of the new audit-sign
};

// Makes the token (SoftHSM's below `stage`), brings the wrapped keys back on it by their check
// values, makes `fresh`, and wraps those. Throws ToolError(kLocal), or StartupError, with what to
// do; what it made is thrown away with the stage then, but for another vendor's token. REQUIRES no
// module initialised in this process.
[[nodiscard]] RestoredToken restore_token(const NewVault& vault, const std::string& stage,
                                          const base::SecretText& so_pin,
                                          const base::SecretText& user_pin,
                                          const std::vector<hsm::WrappedKey>& wrapped,
                                          const std::vector<core::KeyRef>& fresh,
                                          const base::SecretBuffer& backup_key);

}  // namespace cardvault::provisioning
