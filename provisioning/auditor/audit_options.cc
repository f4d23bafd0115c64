#include "provisioning/auditor/audit_options.h"

#include <algorithm>
#include <memory>
#include <string_view>

#include "provisioning/auditor/mirror.h"
#include "provisioning/auditor/month.h"
#include "provisioning/auditor/prove.h"
#include "provisioning/auditor/remote_log.h"
#include "provisioning/auditor/verify.h"
#include "vault/audit/proven_log.h"
#include "vault/core/pan.h"

namespace cardvault::auditor {
namespace {

constexpr const char* kAlso =
    "folders that hold files which were moved out of DIR: those of closed months";
constexpr int kMostThreads = 1024;
constexpr const char* kExitCodes =
    "Exit codes: 0 verified; 1 not verified; 2 nothing could be checked.\n";

}  // namespace

CLI::App& add_command(CLI::App& parent, const char* name, const char* what,
                      const std::string& examples) {
  CLI::App* command = parent.add_subcommand(name, what);
  command->footer("Examples:\n" + examples + kExitCodes);
  command->fallthrough();
  return *command;
}

void add_custodians(CLI::App& command, std::vector<std::string>& registers) {
  command
      .add_option("--custodians", registers,
                  "the register of custodians whose quorum is trusted where it put a key in a lost "
                  "one's place, or approved a restore; repeatable")
      ->allow_extra_args(false);
}

void add_threads(CLI::App& command, unsigned& threads) {
  command.add_option("--threads", threads, "how many check records (default: one per core)")
      ->check(CLI::Range(0, kMostThreads));
}

void refuse_card_numbers(std::span<const char* const> words) {
  for (std::string_view word : words) {
    if (word.starts_with('-')) word.remove_prefix(std::min(word.find('='), word.size() - 1) + 1);
    const auto pan = core::Pan::parse(word);
    if (!pan || !pan->luhn_valid()) continue;
    throw base::StartupError(
        "a card number must not stand on a command line, where every account of this machine and "
        "the shell's history can read it: where the vault is, give it to `cardvault audit find "
        "--pan-stdin` as a line of stdin; elsewhere look for the card's --fingerprint");
  }
}

int tell_of_line(const CLI::App& app, const CLI::ParseError& problem, std::ostream& out,
                 std::ostream& err) {
  if (!core::contains_pan(problem.what())) return app.exit(problem, out, err);
  err << "There is a card number on the command line, where every account of this machine and the "
         "shell's history can read it: it is not used\n";
  return problem.get_exit_code();
}

// Whatever keeps it from checking ends in the exit code that says so.
Command guarded(Command command) {
  return [command = std::move(command)](const Terminal& terminal) {
    try {
      return command(terminal);
    } catch (const audit::NotProven& problem) {
      terminal.err << "cardvault-audit: NOT VERIFIED: " << problem.what() << '\n';
      return kNotVerified;
    } catch (const Unreachable& problem) {
      terminal.err << "cardvault-audit: " << problem.what() << '\n';
      return kUnreachable;
    } catch (const std::exception& problem) {
      terminal.err << "cardvault-audit: " << problem.what() << '\n';
      return kCouldNotCheck;
    }
  };
}

namespace {

void add_mirror(CLI::App& parent, const std::string& program,
                const std::function<void(Command)>& chosen) {
  CLI::App& command = add_command(
      parent, "mirror", "keep a verified copy of a vault's log on this machine",
      "  " + program +
          " mirror https://vault.bank.example:9445 /srv/vault-log --key audit.vkey \\\n"
          "      --cert collector.pem --cert-key collector.key --ca vault-ca.pem\n"
          "  The same with --follow keeps on, looking every ten seconds.\n"
          "An alarm (exit code 1) means that what is served is not the log that was copied "
          "before:\n"
          "it is told to the system's log too, and both checkpoints are kept in DIR/alarm/. Exit "
          "code 3: no vault answers now.\n");
  const auto options = std::make_shared<MirrorOptions>();
  command.add_option("URL", options->url, "the auditors' gate, https://HOST:PORT")->required();
  command.add_option("DIR", options->folder, "the copy; made when it is not there")->required();
  command.add_option("--key", options->key, "audit.vkey of the vault, or a verifier key's text")
      ->required();
  command
      .add_option("--cert", options->credentials.cert_file,
                  "the certificate of a client with audit.read (PEM)")
      ->required();
  command.add_option("--cert-key", options->credentials.key_file, "its private key (PEM)")
      ->required();
  command.add_option("--ca", options->credentials.ca_file, "the CA of the vault's gates (PEM)")
      ->required();
  add_custodians(command, options->custodians);
  command.add_flag("--follow", options->follow, "keep on until an alarm, SIGINT or SIGTERM");
  command.add_option("--interval", options->interval_s, "of --follow, seconds between two looks")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  command.callback([chosen, options] {
    chosen(guarded([options](const Terminal& terminal) { return mirror(*options, terminal); }));
  });
}

}  // namespace

void add_commands(CLI::App& parent, const std::string& program,
                  const std::function<void(Command)>& chosen) {
  CLI::App& check = add_command(
      parent, "verify", "prove a published log unchanged, or name what was changed",
      "  " + program + " verify /srv/vault-log --key audit.vkey\n  " + program +
          " verify /srv/vault-log --key audit.vkey --against checkpoint-2025-12\n  " + program +
          " verify /srv/vault-log --also /mnt/worm --key audit.vkey\n  " + program +
          " verify /srv/new-log --key audit.vkey --before /srv/vault-log \\\n"
          "      --before-key lost.vkey --custodians custodians\n");
  const auto verifying = std::make_shared<VerifyOptions>();
  check.add_option("DIR", verifying->folder, "the published log: checkpoint and tile/")->required();
  check
      .add_option("--key", verifying->key, "audit.vkey, a PEM public key, or a verifier key's text")
      ->required();
  check
      .add_option("--against", verifying->against,
                  "a checkpoint of this log that was kept elsewhere, repeatable")
      ->allow_extra_args(false);
  check.add_option("--also", verifying->also, kAlso)->take_all();
  check
      .add_option("--before", verifying->before.folders,
                  "of a restored vault: the log that this one continues; repeatable, newest first")
      ->allow_extra_args(false);
  check.add_option("--before-key", verifying->before.keys, "its key, as --key; repeatable")
      ->allow_extra_args(false);
  add_custodians(check, verifying->before.custodians);
  add_threads(check, verifying->threads);
  check.callback([chosen, verifying] {
    chosen(guarded([verifying](const Terminal& terminal) { return verify(*verifying, terminal); }));
  });

  CLI::App& evidence =
      add_command(parent, "prove", "print the proof that a record is in the log",
                  "  " + program + " prove /srv/vault-log 4711 > event-4711.tlog-proof\n");
  const auto proving = std::make_shared<ProveOptions>();
  evidence.add_option("DIR", proving->folder, "the published log")->required();
  evidence.add_option("INDEX", proving->record, "the event's number (seq)")->required();
  evidence.add_option("--also", proving->also, kAlso)->take_all();
  evidence.add_option("--key", proving->key, "also check the checkpoint's signature");
  add_custodians(evidence, proving->custodians);
  evidence.callback([chosen, proving] {
    chosen(guarded([proving](const Terminal& terminal) { return prove(*proving, terminal); }));
  });

  CLI::App& month = add_command(
      parent, "month", "list the files of a closed month, which may be moved away",
      "  " + program + " month /srv/vault-log 2026-11 > list\n" +
          "  tar -C /srv/vault-log -cf - -T list | tar -C /mnt/worm -xf -\n  " + program +
          " verify /mnt/worm/segment/2026-11 --also /mnt/worm --key audit.vkey\n" +
          "  (cd /srv/vault-log && xargs rm -f) < list\n");
  const auto listing = std::make_shared<MonthOptions>();
  month.add_option("DIR", listing->folder, "the published log")->required();
  month.add_option("MONTH", listing->month, "as in 2026-11")->required();
  month.callback([chosen, listing] {
    chosen(
        guarded([listing](const Terminal& terminal) { return month_files(*listing, terminal); }));
  });
  add_mirror(parent, program, chosen);
}

}  // namespace cardvault::auditor
