// Who may open and restore a backup, as the backup itself says.
#pragma once

#include "provisioning/backup_file.h"
#include "provisioning/ceremony_desk.h"
#include "vault/custody/custodian_set.h"
#include "vault/custody/transcript.h"

namespace cardvault::provisioning {

struct BackupPeople {
  std::string transcript_name;  // "transcript.1"
  custody::Transcript transcript;
  custody::Plan plan;
  custody::CustodianSet set;
};

// REQUIRES a backup that has passed check(). Throws ToolError(kRefused) when its papers don't hold
// or are not of one vault.
[[nodiscard]] BackupPeople people_of(const BackupFile& backup);

// K custodians enter their shares; the key they rebuild is the one the backup is sealed to. Throws
// ToolError(kRefused) when it is not.
[[nodiscard]] base::SecretBuffer rebuild_backup_key(Desk& desk, const BackupPeople& people,
                                                    const BackupHeader& header);

}  // namespace cardvault::provisioning
