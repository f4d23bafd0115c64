#include "provisioning/command_line.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "provisioning/auditor/audit_options.h"
#include "provisioning/backup_commands.h"
#include "provisioning/commands.h"

namespace cardvault::provisioning {
namespace {

// Of the commands about the log: the others look at the words that they take.
void refuse_card_numbers(std::span<const char* const> words) {
  const auto audit = std::ranges::find(words, std::string_view("audit"));
  try {
    auditor::refuse_card_numbers({audit, words.end()});
  } catch (const base::StartupError& problem) {
    throw ToolError(ExitCode::kUsage, problem.what());
  }
}

constexpr const char* kExitCodes =
    "Exit codes: 0 done; 1 refused by the vault, or doctor found an error; 2 usage;\n"
    "3 no vault answers; 4 a file on this side can't be read, written or trusted;\n"
    "5 recorded, and waits for a second operator or for custodians' signatures.\n"
    "Data goes to stdout, everything else to stderr.";

int parse_and_run(CLI::App& app, Chosen& chosen, Context& context, const std::string& format,
                  const std::vector<std::string>& approvals, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    const bool no_command =
        std::string_view(problem.what()).contains("subcommand") && !app.remaining(true).empty();
    if (no_command) {
      context.err << "cardvault: there is no such command: --help lists them\n";
    } else if (auditor::tell_of_line(app, problem, context.out, context.err) == 0) {
      return 0;
    }
    return static_cast<int>(ExitCode::kUsage);
  }
  if (format == "json") context.format = Format::kJson;
  context.quorum = read_quorum_files(approvals);
  return static_cast<int>(chosen(context));
}

// A disk that is full, or a reader that went: what was done is done, and nobody has read of it.
int say_if_unread(Context& context, int code) {
  context.out.flush();
  if (context.out) return code;
  context.err << "cardvault: what belongs on stdout can't be written there, and is lost\n";
  return code == 0 ? static_cast<int>(ExitCode::kLocal) : code;
}

}  // namespace

CLI::App& command(CLI::App& parent, const char* name, const char* what, const char* examples) {
  CLI::App* app = parent.add_subcommand(name, what);
  app->footer(std::string("Examples:\n") + examples);
  app->fallthrough();
  return *app;
}

int run(int argc, const char* const* argv, Context context) {
  CLI::App app(
      "Operates a card vault: keys, clients, recipients, BIN table, tokens, audit log, backup.",
      "cardvault");
  app.require_subcommand(1);
  app.set_version_flag("--version", CARDVAULT_VERSION);
  app.add_option("--config", context.config, "the vault's configuration")->capture_default_str();
  std::string format = "table";
  app.add_option("--format", format, "how to print data")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  app.add_option("--operator", context.operator_name,
                 "under which name to act; the vault checks it against your uid (default: the name "
                 "it knows you by)");
  app.footer(
      std::string("Examples:\n"
                  "  cardvault init --dir /var/lib/cardvault --config-dir /etc/cardvault\n"
                  "  cardvault status\n"
                  "  cardvault client add web --cert web.pem --permissions tokenize,cards.read\n"
                  "  cardvault --format json token inspect tok_01KAMZJ0000000000000000000\n") +
      "\n" + kExitCodes);
  std::vector<std::string> approvals;
  app.add_option("--approvals", approvals,
                 "signatures of custodians for this very command: the folder that the command made "
                 "when\nit was run without, or single files; may be given several times")
      ->allow_extra_args(false);
  Chosen chosen;
  add_operator_commands(app, chosen);
  add_recipient_commands(app, chosen);
  add_watch_commands(app, chosen);
  add_custody_commands(app, chosen);
  add_backup_commands(app, chosen);
  add_file_commands(app, chosen);
  add_log_commands(app, chosen);
  try {
    refuse_card_numbers({argv, static_cast<std::size_t>(argc)});
    const int code = parse_and_run(app, chosen, context, format, approvals, argc, argv);
    return say_if_unread(context, code);
  } catch (const ToolError& problem) {
    context.err << "cardvault: " << problem.what() << '\n';
    return static_cast<int>(problem.code());
  } catch (const std::exception& problem) {
    context.err << "cardvault: " << problem.what() << '\n';
    return static_cast<int>(ExitCode::kLocal);
  }
}

}  // namespace cardvault::provisioning
