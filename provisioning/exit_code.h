// How the tool ends: stable, listed in cardvault(1) and in --help.
#pragma once

#include "vault/base/result.h"

namespace cardvault::provisioning {

enum class ExitCode : int {
  kDone = 0,
  kRefused = 1,      // the vault said no, or doctor found an error
  kUsage = 2,        // the command line is wrong
  kUnreachable = 3,  // no vault answers on the admin socket
  kLocal = 4,        // a file or device on this side: can't be read, written or trusted
  kWaits = 5,        // recorded: takes a second operator, or custodians' signatures
};

// Ends the tool with a message that says what to do; caught once, in run().
class ToolError : public base::StartupError {
 public:
  ToolError(ExitCode code, const std::string& message) : base::StartupError(message), code_(code) {}
  [[nodiscard]] ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

}  // namespace cardvault::provisioning
