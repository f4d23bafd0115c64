#include <memory>

#include "provisioning/acts.h"
#include "provisioning/commands.h"

namespace cardvault::provisioning {
namespace {

void add_bins(CLI::App& app, Chosen& chosen) {
  CLI::App& bin = command(app, "bin", "the BIN table: who issued a card",
                          "  cardvault bin import ranges.csv\n  cardvault bin lookup 41111111");
  bin.require_subcommand(1);

  CLI::App& import = command(
      bin, "import", "replace the BIN table; all rows, or none when one is bad",
      "  cardvault bin import ranges.csv\n"
      "Columns (by name, in any order): iin_start, iin_end, number_length, number_luhn, scheme,\n"
      "brand, type, prepaid, country, bank_name, and optionally currency; others are ignored.");
  const auto path = std::make_shared<std::string>();
  import.add_option("FILE", *path, "CSV (RFC 4180)")->required()->check(CLI::ExistingFile);
  import.callback([&chosen, path] {
    chosen = [path](const Context& context) { return import_bins(context, *path); };
  });

  CLI::App& lookup = command(bin, "lookup", "scheme, country and currency of leading digits",
                             "  cardvault bin lookup 41111111\n"
                             "  cardvault bin lookup --stdin < number.txt");
  const auto digits = std::make_shared<std::string>();
  auto* positional = lookup.add_option("DIGITS", *digits, "4 to 11 leading digits");
  auto* from_stdin = lookup.add_flag("--stdin", std::string("read the number from stdin instead"));
  from_stdin->excludes(positional);
  lookup.callback([&chosen, digits, from_stdin] {
    if (digits->empty() && from_stdin->count() == 0) throw CLI::RequiredError("DIGITS or --stdin");
    chosen = [digits](const Context& context) { return look_up_bin(context, *digits); };
  });
}

void add_audit(CLI::App& app, Chosen& chosen) {
  CLI::App& audit = command(app, "audit", "the audit log", "  cardvault audit tail -n 20 --follow");
  audit.require_subcommand(1);
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

void add_backup(CLI::App& app, Chosen& chosen) {
  CLI::App& backup =
      command(app, "backup", "copy the databases of a running vault, consistently",
              "  cardvault backup /var/backups/cardvault-$(date +%F)\n"
              "The copy holds ciphertext only; without the HSM's keys it reveals nothing.");
  const auto directory = std::make_shared<std::string>();
  backup.add_option("DIR", *directory, "a new folder, writable by the daemon")->required();
  backup.callback([&chosen, directory] {
    chosen = [directory](const Context& context) {
      return act(context, "backup", {{"directory", *directory}});
    };
  });
}

}  // namespace

void add_file_commands(CLI::App& app, Chosen& chosen) {
  add_bins(app, chosen);
  add_audit(app, chosen);
  add_backup(app, chosen);
}

}  // namespace cardvault::provisioning
