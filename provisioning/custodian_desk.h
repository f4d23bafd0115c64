// A custodian alone with a key: passphrase, key, and the word that signs.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "provisioning/custody/custodian_key.h"
#include "provisioning/custody/terminal.h"
#include "vault/custody/digest.h"

namespace cardvault::provisioning {

// A passphrase from a descriptor (one line), or typed on the terminal.
class Passphrase {
 public:
  // `fd` < 0: the terminal. Throws StartupError where there is none.
  explicit Passphrase(int fd);
  [[nodiscard]] base::SecretText ask(const std::string& question);
  [[nodiscard]] custody::Terminal* terminal() { return terminal_ ? &*terminal_ : nullptr; }

 private:
  int fd_;
  std::optional<custody::Terminal> terminal_;
};

// Throws ToolError(kRefused) for a wrong passphrase or PIN.
[[nodiscard]] std::unique_ptr<custody::CustodianKey> open_key(const std::string& place,
                                                              Passphrase& passphrase);

// Shows what is to be signed and demands an exact "Yes"; `digest_given`, when not empty, is the
// word instead, and has to be the digest. Throws ToolError when it isn't given.
void confirm(custody::Terminal* terminal, const std::string& shown, const custody::Digest& digest,
             const std::string& digest_given);

}  // namespace cardvault::provisioning
