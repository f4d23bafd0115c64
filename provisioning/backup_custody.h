// What the custodians' papers say about backups: [unseal] custody of a vault.
#pragma once

#include <optional>
#include <string>

#include "provisioning/custody/wrapped_keys.h"
#include "vault/custody/transcript.h"
#include "vault/daemon/config.h"

namespace cardvault::provisioning {

// The public key that backups are sealed to, as the ceremony recorded it when the keys were wrapped
// under the backup key: text of custody::parse_public_key(); "" when this transcript has none.
[[nodiscard]] std::string recipient_of(const custody::Transcript& transcript);

struct Custody {
  std::string folder;
  std::string newest;  // the path of the newest transcript
  std::string vault;   // its id
  std::string recipient;
  std::string wrapped_keys_path;
  custody::WrappedKeys wrapped;
};
// Reads the folder and checks every signature of the newest transcript and of the one with the
// recipient. nullopt for a vault without a custodians' backup key. Throws ToolError or StartupError
// when a file is missing or does not hold.
[[nodiscard]] std::optional<Custody> read_custody(const daemon::Config& config);

}  // namespace cardvault::provisioning
