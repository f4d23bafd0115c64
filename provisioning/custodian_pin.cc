#include "provisioning/custodian_pin.h"

#include "provisioning/ceremony_desk.h"
#include "provisioning/exit_code.h"
#include "vault/custody/lines.h"
#include "vault/custody/transcript.h"

namespace cardvault::provisioning {
namespace {

constexpr const char* kAgain = "Nothing was changed: run the same command again.\n";

}  // namespace

AskPin pin_of_custodians(const daemon::Config& config) {
  if (!config.unseal.custodians) return {};
  return [folder = config.unseal.custody_dir] {
    const std::string path = custody::newest_transcript(folder);
    if (path.empty()) {
      throw ToolError(ExitCode::kLocal, folder +
                                            ": it has no transcript.N; put it back from its "
                                            "copy");
    }
    const auto transcript = custody::parse_transcript(path, custody::read_text_file(path));
    const auto plan = custody::parse_plan(path, transcript.head.plan);
    custody::Terminal terminal(kAgain);
    Desk desk(terminal, plan);
    terminal.say("The token's keys are changed with its PIN, which only its custodians have.");
    const auto pin =
        desk.rebuild(custody::ShareRegister(transcript), custody::SecretName::kUserPin);
    return base::SecretText(base::as_text(pin));
  };
}

}  // namespace cardvault::provisioning
