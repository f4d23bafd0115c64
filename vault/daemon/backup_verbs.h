// What operators' tools ask of a vault for a sealed backup (docs/backup.md): verbs "backup.…".
#pragma once

#include <functional>
#include <string>

#include "protocol/wire/codec.h"
#include "vault/daemon/vault.h"

namespace cardvault::daemon {

using EmitPart = std::function<bool(wire::AdminAnswer)>;  // as AdminService::Emit

// One of three steps: "backup.snapshot" puts the databases into data_dir/backup.part and tells what
// there is to know of them; "backup.seal" signs the file that the tool made of it, which ends it;
// "backup.leave" ends it without. The latter two name the snapshot by the record that the first one
// gave. Each is an event. Thread-safe; one step at a time, the others wait.
[[nodiscard]] wire::AdminAnswer run_backup_verb(Vault& vault, const wire::AdminRequest& request,
                                                const std::string& operator_name,
                                                const EmitPart& emit);

// Removes a snapshot that a backup left when the vault was killed: cards deleted since are in it.
void forget_snapshot(const Vault& vault);

}  // namespace cardvault::daemon
