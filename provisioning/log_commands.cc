// Commands about the audit log.
#include <memory>

#include "provisioning/acts.h"
#include "provisioning/auditor/audit_options.h"
#include "provisioning/commands.h"
#include "provisioning/log_acts.h"

namespace cardvault::provisioning {
namespace {

void add_tail(CLI::App& audit, Chosen& chosen) {
  CLI::App& tail = command(audit, "tail", "the newest events, one line of JSON each",
                           "  cardvault audit tail -n 20\n"
                           "  cardvault audit tail --from 1000 -n 50\n"
                           "  cardvault --format json audit tail --follow | jq -c .");
  const auto options = std::make_shared<TailOptions>();
  tail.add_option("-n", options->limit, "how many")->capture_default_str();
  tail.add_option("--from", options->from, "from this sequence number on");
  tail.add_flag("--follow,-f", options->follow, "wait for more; end with Ctrl-C");
  tail.callback([&chosen, options] {
    chosen = [options](const Context& context) { return tail_audit(context, *options); };
  });
}

void add_find(CLI::App& audit, Chosen& chosen) {
  CLI::App& find = command(
      audit, "find", "every event of a card, token, customer, client or time, in the published log",
      "  cardvault audit find --pan-stdin < number.txt\n"
      "  echo +77010000001 | cardvault audit find --customer-stdin --since 2026-11-01\n"
      "  cardvault audit find --client web --outcome refused --format csv > refused.csv\n"
      "  cardvault audit find --operation 'key.*'\n"
      "What is named several times is looked for by each, and all that is named must fit.\n"
      "A card's number and a customer's identifier are read from stdin, the number first: a "
      "command "
      "line is seen by every account of the machine. The question is an event of the log.");
  const auto options = std::make_shared<FindInVault>();
  find.add_option("DIR", options->find.folder, "a published log (default: this vault's)");
  find.add_option("--key", options->find.key, "its key (default: this vault's)");
  find.add_flag("--pan-stdin", options->pan_on_stdin,
                "of the card whose number is a line of stdin, deleted or not");
  find.add_flag("--customer-stdin", options->customer_on_stdin,
                "of the customer whose identifier is a line of stdin");
  auditor::add_find_options(find, options->find);
  find.callback([&chosen, options] {
    chosen = [options](const Context& context) { return find_events(context, *options); };
  });
}

void add_report(CLI::App& audit, Chosen& chosen) {
  CLI::App& report = command(
      audit, "report", "a period of the log as one HTML page, with pictures",
      "  cardvault audit report --vault --from 2026-11-01 --to 2026-12-01 -o november.html\n"
      "  cardvault audit report --lang ru --lang kk -o report.html\n"
      "The whole log is verified first. The page needs nothing beside itself and prints on A4.");
  struct Options {
    auditor::ReportOptions report;
    bool vault = false;
  };
  const auto options = std::make_shared<Options>();
  report.add_option("DIR", options->report.folder, "a published log (default: this vault's)");
  report.add_option("--key", options->report.key, "its key (default: this vault's)");
  report.add_flag("--vault", options->vault,
                  "also what the vault says of its keys, clients and budgets");
  auditor::add_report_options(report, options->report, "the page, as report.html");
  report.callback([&chosen, options] {
    chosen = [options](const Context& context) {
      return report_log(context, options->report, options->vault);
    };
  });
}

void add_evidence(CLI::App& audit, Chosen& chosen) {
  CLI::App& evidence = command(
      audit, "evidence", "reports, checkpoints, transcripts and keys in one signed archive",
      "  cardvault audit evidence --from 2026-01-01 --to 2027-01-01 -o evidence-2026.tar\n"
      "  cardvault-audit evidence verify evidence-2026.tar --key audit.vkey\n"
      "It is packed only when the log verifies. No card number, PIN, share or key is in it.");
  const auto options = std::make_shared<EvidenceOptions>();
  options->report.languages = {"en", "ru", "kk"};
  auditor::add_report_options(evidence, options->report, "the archive, as evidence.tar");
  evidence.add_option("--key", options->report.key,
                      "what the log and the checkpoints named with --against are checked with, as "
                      "an earlier audit.vkey (default: the vault's newest)");
  evidence.add_option("--custody", options->custody,
                      "a folder with transcripts (default: that of the configuration)");
  evidence.add_option("--add", options->files, "a further file, repeatable")->take_all();
  evidence.callback([&chosen, options] {
    chosen = [options](const Context& context) { return pack_evidence(context, *options); };
  });
}

}  // namespace

void add_log_commands(CLI::App& app, Chosen& chosen) {
  CLI::App& audit = command(app, "audit", "the audit log",
                            "  cardvault audit tail -n 20 --follow\n"
                            "  cardvault audit find --token tok_01KAMZJ0000000000000000000");
  audit.require_subcommand(1);
  add_tail(audit, chosen);
  add_find(audit, chosen);
  add_report(audit, chosen);
  add_evidence(audit, chosen);
  CLI::App& names = command(
      audit, "pan-fingerprint", "what a card is called in the log, by each version of pan-index",
      "  cardvault audit pan-fingerprint < number.txt\n"
      "For `cardvault-audit find --fingerprint` on a machine without the vault. It is an event.");
  names.callback([&chosen] { chosen = print_fingerprints; });
  auditor::add_commands(audit, "cardvault audit", [&chosen](const auditor::Command& run) {
    chosen = [run](const Context& context) {
      return static_cast<ExitCode>(run(
          {context.out, context.err, context.err_is_terminal, context.format == Format::kJson}));
    };
  });
}

}  // namespace cardvault::provisioning
