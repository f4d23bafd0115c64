// The register of custodians that the vault trusts: drawn up, signed, registered.
#pragma once

#include <string>
#include <vector>

#include "provisioning/context.h"

namespace cardvault::provisioning {

struct RegisterDraft {
  unsigned needed = 0;
  std::vector<std::string> custodians;  // NAME=KEY
  std::string out;
};
// `custodian draft`: writes an unsigned register of this vault.
ExitCode draft_register(const Context& context, const RegisterDraft& options);

struct RegisterSigning {
  std::string path;
  std::string key;     // a path or a card's URI
  std::string digest;  // the full digest, instead of a Yes on the terminal
  int passphrase_fd = -1;
};
// `custodian sign`: adds a signature to the file, replaced as a whole.
ExitCode sign_register(const Context& context, const RegisterSigning& options);

// `custodian register`: sends it to the vault, which checks it.
ExitCode register_custodians(const Context& context, const std::string& path);

}  // namespace cardvault::provisioning
