// What the custodians' papers say about backups.
#pragma once

#include <optional>
#include <string>

#include "provisioning/custody/wrapped_keys.h"
#include "vault/custody/transcript.h"

namespace cardvault::provisioning {

struct Custody {
  std::string folder;
  std::string newest;  // the path of the newest transcript
  std::string vault;   // its id
  // The public key that backups are sealed to, as it was recorded when the keys were wrapped under
  // the backup key: text of custody::parse_public_key().
  std::string recipient;
  std::string wrapped_keys_path;
  custody::WrappedKeys wrapped;
};
// Whether they begin with the keys that a transcript's entry "keys-wrapped" has the digest of;
// rotations and restores add keys behind them.
[[nodiscard]] bool keys_as_signed(const custody::WrappedKeys& wrapped, const custody::Entry& entry);

// Reads the folder ([unseal] custody) and checks every signature of the newest transcript and of
// the one by which the keys were wrapped, and the wrapped keys against its digest. nullopt for a
// vault without a custodians' backup key. Throws ToolError or StartupError when a file is missing
// or does not hold.
[[nodiscard]] std::optional<Custody> read_custody(const std::string& folder);

}  // namespace cardvault::provisioning
