// The commands that change the token's keys: rotate and destroy.
#pragma once

#include <string>

#include "provisioning/context.h"

namespace cardvault::provisioning {

struct RotateOptions {
  std::string purpose;
  bool first_hsm_only = false;  // of several: the others don't serve until they have it too
};
// Makes the next version of a key, has the vault adopt it, and makes it the active one. A rotation
// that was broken off is gone on with.
ExitCode rotate_key(const Context& context, const RotateOptions& options);

struct DestroyOptions {
  std::string label;
  std::string after;  // "7d", "12h", "30m", "0"; empty: as configured
  bool give_up_log_search = false;
};
// Schedules the destruction of a retired key; once it is due, destroys it.
ExitCode destroy_key(const Context& context, const DestroyOptions& options);

// Moves rows to the active version, showing how far it is; without `watch` it only begins.
ExitCode rewrap_key(const Context& context, const std::string& purpose, bool watch);

// The signed statement as it is, for a file.
ExitCode print_statement(const Context& context, const std::string& label);

}  // namespace cardvault::provisioning
