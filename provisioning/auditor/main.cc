// cardvault-audit: verifies a vault's published log, anywhere, with nothing but its public key.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "provisioning/auditor/audit_options.h"

int main(int argc, char** argv) {
  using namespace cardvault;
  CLI::App app("Verifies the audit log that a card vault publishes (C2SP tlog-tiles).",
               "cardvault-audit");
  app.require_subcommand(1);
  app.set_version_flag("--version", CARDVAULT_VERSION);
  auditor::Terminal terminal{std::cout, std::cerr, ::isatty(STDERR_FILENO) == 1};
  app.add_flag("--json", terminal.json, "print the result as JSON");
  auditor::Command chosen;
  const auto choose = [&](auditor::Command command) { chosen = std::move(command); };
  auditor::add_commands(app, "cardvault-audit", choose);
  auditor::add_find(app, "cardvault-audit", choose);
  auditor::add_report(app, "cardvault-audit", choose);
  CLI::App& evidence =
      auditor::add_command(app, "evidence", "archives that a vault made for its assessor",
                           "  cardvault-audit evidence verify evidence.tar --key audit.vkey\n");
  evidence.require_subcommand(1);
  auditor::add_evidence_verify(evidence, "cardvault-audit evidence", choose);
  try {
    auditor::refuse_card_numbers({argv, static_cast<std::size_t>(argc)});
    app.parse(argc, argv);
    return chosen(terminal);
  } catch (const CLI::ParseError& problem) {
    return auditor::tell_of_line(app, problem, std::cout, std::cerr) == 0 ? 0
                                                                          : auditor::kCouldNotCheck;
  } catch (const base::StartupError& problem) {
    std::cerr << "cardvault-audit: " << problem.what() << '\n';
    return auditor::kCouldNotCheck;
  }
}
