#include "provisioning/auditor/audit_options.h"

#include <memory>

#include "provisioning/auditor/prove.h"
#include "provisioning/auditor/verify.h"
#include "vault/base/result.h"

namespace cardvault::auditor {
namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 verified; 1 not verified; 2 nothing could be checked.\n";

CLI::App& add(CLI::App& parent, const char* name, const char* what, const std::string& examples) {
  CLI::App* command = parent.add_subcommand(name, what);
  command->footer("Examples:\n" + examples + kExitCodes);
  command->fallthrough();
  return *command;
}

// Whatever keeps it from checking ends in the exit code that says so.
Command guarded(Command command) {
  return [command = std::move(command)](const Terminal& terminal) {
    try {
      return command(terminal);
    } catch (const base::StartupError& problem) {
      terminal.err << "cardvault-audit: " << problem.what() << '\n';
      return kCouldNotCheck;
    }
  };
}

}  // namespace

void add_commands(CLI::App& parent, const std::string& program,
                  const std::function<void(Command)>& chosen) {
  CLI::App& check =
      add(parent, "verify", "prove a published log unchanged, or name what was changed",
          "  " + program + " verify /srv/vault-log --key audit.vkey\n  " + program +
              " verify /srv/vault-log --key audit.vkey --against checkpoint-2025-12\n");
  const auto verifying = std::make_shared<VerifyOptions>();
  check.add_option("DIR", verifying->folder, "the published log: checkpoint and tile/")->required();
  check
      .add_option("--key", verifying->key, "audit.vkey, a PEM public key, or a verifier key's text")
      ->required();
  check
      .add_option("--against", verifying->against,
                  "a checkpoint of this log that was kept elsewhere, repeatable")
      ->take_all();
  check.add_option("--threads", verifying->threads, "how many (default: one per core)");
  check.callback([chosen, verifying] {
    chosen(guarded([verifying](const Terminal& terminal) { return verify(*verifying, terminal); }));
  });

  CLI::App& evidence = add(parent, "prove", "print the proof that a record is in the log",
                           "  " + program + " prove /srv/vault-log 4711 > event-4711.tlog-proof\n");
  const auto proving = std::make_shared<ProveOptions>();
  evidence.add_option("DIR", proving->folder, "the published log")->required();
  evidence.add_option("INDEX", proving->record, "the event's number (seq)")->required();
  evidence.add_option("--key", proving->key, "also check the checkpoint's signature");
  evidence.callback([chosen, proving] {
    chosen(guarded([proving](const Terminal& terminal) { return prove(*proving, terminal); }));
  });
}

}  // namespace cardvault::auditor
