#include "provisioning/token_failure.h"

#include "hsm/error.h"
#include "provisioning/exit_code.h"

namespace cardvault::provisioning {

void give_up(const std::string& what, const base::Error& error) {
  std::string text =
      what + ": " + std::string(base::code_name(error.code)) + " in " + error.operation;
  if (error.number != 0) {
    const auto rv = static_cast<unsigned long>(error.number);
    text += std::string(" (") + hsm::ckr_name(rv) + "). " + hsm::ckr_explanation(rv);
  }
  throw ToolError(ExitCode::kLocal, text);
}

}  // namespace cardvault::provisioning
