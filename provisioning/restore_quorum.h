// What custodians approve before a vault is restored.
#pragma once

#include <string>
#include <vector>

#include "provisioning/backup_people.h"
#include "vault/custody/action.h"

namespace cardvault::provisioning {

// The lost log's last checkpoint that is known, and what the backup lacks of it.
struct LastKnown {
  std::string note;
  std::uint64_t size = 0;
  std::string root;         // in hex
  std::uint64_t newer = 0;  // events after the backup's own checkpoint; 0: the backup is the newest
};

// Of the backup, or of the file `known` where that is newer. Throws ToolError(kRefused) when its
// signature is by none of the keys, it is another log's, or it is of the same size and another
// past.
[[nodiscard]] LastKnown last_known(const BackupFile& backup, const std::vector<std::string>& keys,
                                   const std::string& known);

// "backup.restore" of this backup, after this checkpoint; expires in 7 days.
[[nodiscard]] custody::Action restore_action(const BackupFile& backup, const LastKnown& last,
                                             std::int64_t now_ms);

struct Quorum {
  std::string action;                  // its text
  std::vector<std::string> approvals;  // their texts
  std::vector<std::string> names;      // of those who approved
};

// The approvals of the action in the file, which must be the wanted one but for its expiry and
// nonce. Throws ToolError(kRefused) with everything that is wrong.
[[nodiscard]] Quorum demand_quorum(const std::string& action_path, const custody::Action& wanted,
                                   const std::vector<std::string>& approvals,
                                   const BackupPeople& people, std::int64_t now_ms);

}  // namespace cardvault::provisioning
