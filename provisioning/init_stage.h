// A new vault's files, made aside and moved into place: what `init` and a ceremony share.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "provisioning/new_keys.h"

namespace cardvault::provisioning {

using Moves = std::vector<std::pair<std::string, std::string>>;  // from, to; in this order

// From `stage` to the vault's folders; vault.toml last: with it, it is a vault.
[[nodiscard]] Moves planned_moves(const NewVault& vault, const std::string& stage);

// Throws ToolError(kLocal) when a vault, or a part of one, is where these would go.
void refuse_existing(const NewVault& vault, const Moves& moves);

// Makes the configuration's folder where there is none. Throws ToolError(kLocal) when this account
// may not write to it: before anything is made, not after.
void make_config_folder(const NewVault& vault);

// Moves what is still there, over file systems too.
void put_in_place(const Moves& moves);

// The configurations and the log's verification key, into `stage`.
void write_files(const NewVault& vault, const NewKeys& keys, const std::string& stage);

// The daemon owns its data and reads its PIN, where there is a file of it; the token's files are
// the tool's, and only to be read by the daemon (DESIGN 4.2 trap 1). Without root they are the same
// account's, and read-only. Makes stage/audit.
void set_owners(const NewVault& vault, const std::string& stage);

// The sockets' folders, where no tmpfiles.d(5) makes them.
void make_run_folders(const NewVault& vault);

// Key, kind, check value, faults: a row for each.
[[nodiscard]] wire::AdminAnswer table_of(const std::vector<hsm::KeyReport>& reports);

}  // namespace cardvault::provisioning
