#include "provisioning/unseal_acts.h"

#include <chrono>
#include <thread>

#include "provisioning/ceremony_desk.h"
#include "provisioning/socket_backend.h"
#include "vault/custody/lines.h"
#include "vault/custody/transcript.h"
#include "vault/daemon/config.h"

namespace cardvault::provisioning {
namespace {

constexpr const char* kStays =
    "What was entered stays in the vault for 10 minutes: run cardvault unseal again.\n";
constexpr auto kOpening = std::chrono::seconds(60);
constexpr auto kPause = std::chrono::milliseconds(200);

std::string value_of(const wire::AdminAnswer& answer, std::string_view field) {
  for (const auto& row : answer.rows) {
    if (row.size() == 2 && row[0] == field) return row[1];
  }
  return "";
}

std::unique_ptr<SocketBackend> connect(const daemon::Config& config) {
  auto line = SocketBackend::connect(config.admin_socket);
  if (line) return line;
  throw ToolError(ExitCode::kUnreachable,
                  "no vault runs: start it, then `cardvault unseal` (systemctl start "
                  "cardvault.target)");
}

// After the last share: the vault logs in, with its socket away for a moment.
ExitCode await_opening(const Context& context, const daemon::Config& config) {
  const auto end = std::chrono::steady_clock::now() + kOpening;
  while (std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kPause);
    try {
      const auto line = SocketBackend::connect(config.admin_socket);
      if (!line) continue;
      const auto answer = ask(context, *line, "unseal.status", {});
      const std::string state = value_of(answer, "state");
      if (state == "open") {
        context.err << "cardvault: the vault is open\n";
        return ExitCode::kDone;
      }
      if (state == "sealed") {
        context.err << "cardvault: " << printable(answer.message) << '\n';
        return ExitCode::kRefused;
      }
    } catch (const ToolError& problem) {
      if (problem.code() != ExitCode::kUnreachable) throw;  // else it is changing over
    }
  }
  throw ToolError(ExitCode::kUnreachable,
                  "the shares are complete, and the vault does not open: see its log");
}

}  // namespace

ExitCode unseal(const Context& context) {
  const daemon::Config config = daemon::read_config(context.config);
  const auto status = ask(context, *connect(config), "unseal.status", {});
  if (!status.ok || value_of(status, "state") == "open") return conclude(context, status);
  const std::string path = custody::newest_transcript(config.unseal.custody_dir);
  const auto transcript = custody::parse_transcript(path, custody::read_text_file(path));
  const auto plan = custody::parse_plan(path, transcript.head.plan);
  custody::Terminal terminal(kStays);
  Desk desk(terminal, plan);
  terminal.say(printable(status.message) + ".");
  for (;;) {
    const custody::Share share = desk.take_share("Your share of user-pin");
    const auto answer =
        ask(context, *connect(config), "unseal.share", {}, custody::encode_share(share));
    terminal.say((answer.ok ? "" : "Refused: ") + printable(answer.message) + ".");
    if (answer.ok && answer.rows.at(0).at(0) == answer.rows.at(0).at(1)) {
      return await_opening(context, config);
    }
    if (answer.code == base::Code::kLocked && !answer.ok) return ExitCode::kRefused;
    if (!terminal.says_yes(answer.ok ? "Is the next custodian here" : "Is there another share")) {
      terminal.say(kStays);
      return answer.ok ? ExitCode::kWaits : ExitCode::kRefused;
    }
  }
}

}  // namespace cardvault::provisioning
