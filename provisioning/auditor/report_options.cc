#include <memory>

#include "provisioning/auditor/audit_options.h"
#include "provisioning/auditor/evidence.h"

namespace cardvault::auditor {

void add_report_options(CLI::App& command, ReportOptions& options, const std::string& output) {
  add_custodians(command, options.custodians);
  command.add_option("--from", options.from, "UTC, as in 2026-12-01 (default: the first event)");
  command.add_option("--to", options.to, "before then (default: the last event)");
  command.add_option("--output,-o", options.output, output)->required();
  command.add_option("--lang", options.languages, "en, ru or kk; of several, one page each")
      ->check(CLI::IsMember({"en", "ru", "kk"}))
      ->allow_extra_args(false);
  command
      .add_option("--against", options.against,
                  "a checkpoint of this log that was kept elsewhere, repeatable")
      ->allow_extra_args(false);
  command.add_option("--also", options.also, "a folder with months moved away, repeatable")
      ->take_all();
  add_threads(command, options.threads);
}

void add_report(CLI::App& parent, const std::string& program,
                const std::function<void(Command)>& chosen) {
  CLI::App& command =
      add_command(parent, "report", "a period of the log as one HTML page, with pictures",
                  "  " + program +
                      " report /srv/vault-log --key audit.vkey --from 2026-11-01 --to 2026-12-01 "
                      "-o november.html\n  " +
                      program +
                      " report /srv/vault-log --key audit.vkey --lang ru --lang kk -o report.html\n"
                      "The whole log is verified first. The page needs nothing beside itself and "
                      "prints on A4.\n");
  const auto reporting = std::make_shared<ReportOptions>();
  command.add_option("DIR", reporting->folder, "the published log: checkpoint and tile/")
      ->required();
  command
      .add_option("--key", reporting->key, "audit.vkey, a PEM public key, or a verifier key's text")
      ->required();
  add_report_options(command, *reporting, "the page, as report.html");
  command.callback([chosen, reporting] {
    chosen(guarded([reporting](const Terminal& terminal) { return report(*reporting, terminal); }));
  });
}

void add_evidence_verify(CLI::App& evidence, const std::string& program,
                         const std::function<void(Command)>& chosen) {
  CLI::App& command = add_command(evidence, "verify", "that an archive is as the vault signed it",
                                  "  " + program + " verify evidence.tar --key audit.vkey\n");
  const auto options = std::make_shared<EvidenceOptions>();
  command.add_option("FILE", options->archive, "the archive")->required();
  command.add_option("--key", options->key, "audit.vkey, or its text")->required();
  add_custodians(command, options->custodians);
  command.callback([chosen, options] {
    chosen(guarded(
        [options](const Terminal& terminal) { return verify_evidence(*options, terminal); }));
  });
}

}  // namespace cardvault::auditor
