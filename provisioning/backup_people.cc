#include "provisioning/backup_people.h"

#include "provisioning/backup_key.h"
#include "provisioning/custody/transcript_check.h"
#include "provisioning/exit_code.h"

namespace cardvault::provisioning {
namespace {
constexpr std::string_view kTranscript = "custody/transcript.";
}

BackupPeople people_of(const BackupFile& backup) {
  BackupPeople out;
  std::string name;
  for (const BackupPart& part : backup.header().clear) {
    if (part.name.starts_with(kTranscript)) name = part.name;
  }
  out.transcript_name = name.substr(name.find('/') + 1);
  out.transcript = custody::parse_transcript(name, backup.clear(name));
  out.plan = custody::parse_plan("the plan in it", out.transcript.head.plan);
  out.set = custody::parse_custodian_set("custody/custodians", backup.clear("custody/custodians"));
  const std::string& vault = backup.header().vault;
  if (out.transcript.head.vault != vault || out.set.vault != vault) {
    throw ToolError(ExitCode::kRefused, "the custodians' papers in the backup are another vault's");
  }
  if (!custody::all_good(custody::check_transcript(out.transcript)) ||
      !custody::check_signatures(out.set, out.set.audit_key).empty()) {
    throw ToolError(ExitCode::kRefused,
                    "a signature under the custodians' papers in the backup does not hold");
  }
  return out;
}

base::SecretBuffer rebuild_backup_key(Desk& desk, const BackupPeople& people,
                                      const BackupHeader& header) {
  base::SecretBuffer key =
      desk.rebuild(custody::ShareRegister(people.transcript), custody::SecretName::kBackupKey);
  if (custody::public_key_text(backup_recipient(key, header.vault)) != header.recipient) {
    throw ToolError(ExitCode::kRefused,
                    "the shares are good, but the backup is sealed to another backup key");
  }
  return key;
}

}  // namespace cardvault::provisioning
