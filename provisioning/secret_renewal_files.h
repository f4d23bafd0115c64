// The files that a renewal of the token's secrets changes beside the token, and their drafts.
#pragma once

#include <string>

#include "vault/base/secret.h"
#include "vault/daemon/config.h"

namespace cardvault::provisioning {

// A draft lies beside its file until the token is exchanged, and takes its place then; a process
// that comes after a break finds both by their names. All throw ToolError(kLocal) with what to do.
class RenewalFiles {
 public:
  explicit RenewalFiles(const daemon::Config& config);

  std::string folder;  // of the custodians' papers
  std::string newest;  // transcript
  std::string next;    // its successor's name
  std::string draft;   // of the successor

  // The PIN file's, of its owner; nothing where the PIN is in no file.
  void begin_pin(const base::SecretText& pin) const;
  // Where begin_pin() put it, for hsm::read_pin(); "" when it isn't there.
  [[nodiscard]] std::string begun_pin() const;
  void begin_wrapped(const std::string& text) const;
  // Every draft that is there, in an order in which each may be the last: the PIN first.
  void put_in_place() const;
  // Removes the drafts but the transcript's, which tells the next try what shares are void: the
  // token is the one it was.
  void forget() const;

 private:
  std::string pin_, wrapped_;
};

}  // namespace cardvault::provisioning
