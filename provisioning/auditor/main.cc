// cardvault-audit: verifies a vault's published log, anywhere, with nothing but its public key.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "provisioning/auditor/audit_options.h"
#include "vault/base/fd.h"

namespace {

// A disk that is full, or a reader that went: nobody has read what was found.
int say_if_unread(int code) {
  std::cout.flush();
  if (std::cout) return code;
  std::cerr << "cardvault-audit: what belongs on stdout can't be written there, and is lost\n";
  return code == 0 ? cardvault::auditor::kCouldNotCheck : code;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace cardvault;
  base::fill_standard_descriptors();
  CLI::App app("Verifies the audit log that a card vault publishes (C2SP tlog-tiles).",
               "cardvault-audit");
  app.require_subcommand(1);
  app.set_version_flag("--version", CARDVAULT_VERSION);
  auditor::Terminal terminal{std::cout, std::cerr, ::isatty(STDERR_FILENO) == 1};
  app.add_flag("--json", terminal.json,
               "print the result of verify, or the events of find, as JSON");
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
    return say_if_unread(chosen(terminal));
  } catch (const CLI::ParseError& problem) {
    const bool asked = auditor::tell_of_line(app, problem, std::cout, std::cerr) == 0;
    return say_if_unread(asked ? 0 : auditor::kCouldNotCheck);
  } catch (const std::exception& problem) {
    std::cerr << "cardvault-audit: " << problem.what() << '\n';
    return auditor::kCouldNotCheck;
  }
}
