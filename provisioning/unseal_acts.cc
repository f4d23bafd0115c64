#include "provisioning/unseal_acts.h"

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <optional>
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
constexpr auto kSealing = std::chrono::seconds(15);
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

// While the vault changes over, its socket is away for a moment. Its answer in one of these states;
// nothing: it is in none of them in time.
std::optional<wire::AdminAnswer> await_state(const Context& context, const daemon::Config& config,
                                             std::initializer_list<std::string_view> states,
                                             std::chrono::seconds most) {
  const auto end = std::chrono::steady_clock::now() + most;
  while (std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kPause);
    try {
      const auto line = SocketBackend::connect(config.admin_socket);
      if (!line) continue;
      auto answer = ask(context, *line, "unseal.status", {});
      if (std::ranges::find(states, value_of(answer, "state")) != states.end()) return answer;
    } catch (const ToolError& problem) {
      if (problem.code() != ExitCode::kUnreachable) throw;
    }
  }
  return std::nullopt;
}

// After the last share: the vault logs in.
ExitCode await_opening(const Context& context, const daemon::Config& config) {
  const auto answer = await_state(context, config, {"open", "sealed"}, kOpening);
  if (!answer) {
    throw ToolError(ExitCode::kUnreachable,
                    "the shares are complete, and the vault does not open: see its log");
  }
  const bool open = value_of(*answer, "state") == "open";
  context.err << "cardvault: " << (open ? "the vault is open" : printable(answer->message)) << '\n';
  return open ? ExitCode::kDone : ExitCode::kRefused;
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

ExitCode seal(const Context& context) {
  const daemon::Config config = daemon::read_config(context.config);
  const auto line = SocketBackend::connect(config.admin_socket);
  if (!line) throw ToolError(ExitCode::kUnreachable, "no vault runs: there is none to seal");
  const auto answer = ask(context, *line, "seal", {});
  if (answer.ok && !await_state(context, config, {"sealed"}, kSealing)) {
    throw ToolError(ExitCode::kUnreachable,
                    "the vault is to be sealed, and does not say so in time: see its log and "
                    "`cardvault status`");
  }
  return conclude(context, answer);
}

}  // namespace cardvault::provisioning
