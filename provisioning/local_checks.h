// What `doctor` can see without the vault: files, certificates, machine. Read-only, no login to the
// token, so that it can run beside a vault at any time.
#pragma once

#include <string>

#include "provisioning/config_file.h"
#include "provisioning/finding.h"

namespace cardvault::provisioning {

// Owners and modes of configuration, data, token and PIN (PCI DSS 7.2; DESIGN 4.2 traps 1 and 7).
void check_files(const std::string& config_path, const ConfigFile& config, Findings& findings);

// Certificates, keys and revocation lists of the gates configured beside vault.toml.
void check_gates(const std::string& config_path, const ConfigFile& config, Findings& findings);

// The module file loads, and nothing logs its calls (trap 8).
void check_module(const ConfigFile& config, Findings& findings);

// The keys under the custodians' backup key are there, and those that the transcript has the digest
// of: without them no backup can be restored.
void check_wrapped_keys(const ConfigFile& config, Findings& findings);

// Disk space, clock, core dumps, versions.
void check_machine(const ConfigFile& config, Findings& findings);

}  // namespace cardvault::provisioning
