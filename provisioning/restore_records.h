// What a restored vault's databases say before it is started.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hsm/key_maker.h"
#include "provisioning/restore_quorum.h"
#include "vault/core/store.h"
#include "vault/daemon/act_arguments.h"

namespace cardvault::provisioning {

// The key register of databases that nobody has open. Throws ToolError or StartupError.
[[nodiscard]] std::vector<core::KeyRow> read_key_register(const std::string& data_dir);

struct RestoredVault {
  std::string operator_name;
  std::int64_t backup_ms = 0, now_ms = 0;
  std::uint32_t lock_s = 0;           // of [attempts]
  std::vector<core::KeyRow> keys;     // the whole register, as it is from now on
  std::vector<hsm::KeyReport> fresh;  // keys that were made, for their events
  std::string backup;                 // SHA-256
  std::string old_log, old_key;       // the lost log's name, and the key its checkpoint is by
  LastKnown last;
  Quorum quorum;
  daemon::ActArguments bounds;  // bounds_of() its configuration: where its gates are now
};

// In one transaction: the log begins anew with the lost one's last known checkpoint and the
// quorum's signatures; codes are void, locks that held at the backup's time hold anew, every
// client's reveal budgets are spent, the register is `keys`; ceilings that
// custodians approved hold for the same gates at their new places. Throws ToolError(kLocal); the
// databases are thrown away then.
void rewrite_records(const std::string& data_dir, const RestoredVault& restored);

}  // namespace cardvault::provisioning
