#include <unistd.h>

#include <cerrno>

#include "provisioning/backup_custody.h"
#include "provisioning/local_checks.h"

namespace cardvault::provisioning {

void check_wrapped_keys(const ConfigFile& config, Findings& findings) {
  const std::string path = config.custody_dir + "/wrapped-keys";
  if (::access(path.c_str(), R_OK) != 0 && errno == EACCES) {
    findings.push_back(
        {Severity::kNote,
         path + ": not examined: uid " + std::to_string(::geteuid()) + " may not read it",
         "run doctor as root"});
    return;
  }
  try {
    if (!read_custody(config.custody_dir)) return;
    findings.push_back({Severity::kOk, path + " holds the keys that the custodians signed for"});
  } catch (const base::StartupError& problem) {
    findings.push_back(
        {Severity::kError, problem.what(),
         "until then no backup is made, and those made since it was changed can't be "
         "restored"});
  }
}

}  // namespace cardvault::provisioning
