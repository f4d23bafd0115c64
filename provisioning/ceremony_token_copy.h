// A SoftHSM token that a ceremony works on.
#pragma once

#include <string>

namespace cardvault::provisioning {

// SoftHSM rewrites its files at every login, and a kill at that moment destroys them (DESIGN 4.2,
// trap 1): so each step works on a copy, which takes the token's place at the step's end or is
// wiped. All throw ToolError(kLocal).
class TokenCopy {
 public:
  // STAGE/token.copy, of STAGE/token if there is one and not `empty`.
  TokenCopy(const std::string& stage, bool empty);
  ~TokenCopy();
  TokenCopy(const TokenCopy&) = delete;             // owns the folder
  TokenCopy& operator=(const TokenCopy&) = delete;  // owns the folder

  // Synced, and exchanged with the token in one step. REQUIRES: no module has it open.
  void keep() const;

 private:
  std::string token_, copy_;
};

}  // namespace cardvault::provisioning
