// `cardvault backup …` (docs/backup.md).
#pragma once

#include <string>
#include <vector>

#include "provisioning/context.h"

namespace cardvault::provisioning {

// `backup create`: one sealed and signed file of a live vault, with nobody of the custodians near.
// kDone and a table of what is in it; throws ToolError with what to do, and then no file of that
// name is there.
ExitCode create_backup(const Context& context, const std::string& file);

struct VerifyBackupOptions {
  std::string file;
  std::vector<std::string> keys;  // audit.vkey
  bool open = false;              // with the custodians: decrypted, and the keys tried
};
// `backup verify`: signature, structure and every byte; `open`: K custodians rebuild the backup key
// on the terminal, every chunk is opened, and every key is brought back on a token that is thrown
// away, by its check value. kDone, or ToolError(kRefused) with what is wrong.
ExitCode verify_backup(const Context& context, const VerifyBackupOptions& options);

struct RestoreOptions {
  std::string file;
  std::vector<std::string> keys;
  std::string dir;                     // of the vault that is made
  std::string config_dir, run_dir;     // "": as the ceremony's plan says
  std::string daemon_user;             // "": as the plan says
  std::string known;                   // the last checkpoint that is known; "": the backup's own
  std::vector<std::string> approvals;  // of DIR/restore.action
};
// `backup restore`: a vault in DIR of the backup, on a new token, with K custodians. Without
// approvals it writes DIR/restore.action for them to approve and ends with kWaits. Killed, it is
// run again: what was not complete is thrown away, what was complete is put in place.
ExitCode restore_backup(const Context& context, const RestoreOptions& options);

}  // namespace cardvault::provisioning
