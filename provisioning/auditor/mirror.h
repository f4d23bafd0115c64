// `audit mirror`: a verified copy of a vault's log on the collector's machine.
#pragma once

#include <string>
#include <vector>

#include "protocol/client/tls_context.h"
#include "provisioning/auditor/terminal.h"

namespace cardvault::auditor {

struct MirrorOptions {
  std::string url;     // of the auditors' gate
  std::string folder;  // made when it isn't there
  std::string key;     // a verifier key, or a file with one
  client::Credentials credentials;
  std::vector<std::string> custodians = {};  // see trust_custodians()
  bool follow = false;
  unsigned interval_s = 10;
};

// Returns the exit code: an alarm is kNotVerified, told to the system's log too, with the evidence
// in a folder of its own below DIR/alarm. With `follow` it ends with an alarm, or when a signal
// asks it to, and waits for a vault that can't be reached. Throws Unreachable: no vault answers
// now; any other StartupError: nothing could be checked, and somebody has to see to it; with
// `follow` too where the vault refuses the certificate.
[[nodiscard]] int mirror(const MirrorOptions& options, const Terminal& terminal);

}  // namespace cardvault::auditor
