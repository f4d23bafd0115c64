// `cardvault init`: a new vault, whole or not at all.
#pragma once

#include <string>
#include <vector>

#include "provisioning/context.h"
#include "provisioning/init_files.h"

namespace cardvault::provisioning {

struct InitOptions {
  std::string dir;
  std::string config_dir;  // empty: dir
  std::string run_dir;     // empty: dir/run, which is then made too
  std::string module;
  std::string init_args;
  std::string label = "cardvault";
  std::string daemon_user;             // empty: the account "cardvault" for root, else the caller
  std::vector<std::string> gates;      // "NAME" or "NAME=USER"
  std::vector<std::string> operators;  // account names or "UID=NAME"; empty: the caller
};

// Makes the token with a random PIN, one key per purpose, the databases with the keys' check values
// on record, and the configuration; renders the keys. Works in DIR/init.tmp and moves the parts
// into place at the end, vault.toml last: what is interrupted is no vault and can be run again.
// Throws ToolError(kLocal), with the reason, when a vault or a part of one is there already, and
// leaves things as they were.
ExitCode init_vault(const Context& context, const InitOptions& options);

// The configuration that these options ask for. Throws ToolError(kUsage) on a bad one.
[[nodiscard]] NewVault plan_vault(const InitOptions& options);

}  // namespace cardvault::provisioning
