#include <memory>

#include "provisioning/acts.h"
#include "provisioning/commands.h"
#include "provisioning/doctor.h"
#include "provisioning/init.h"

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
  import.add_option("FILE", *path, "CSV (RFC 4180)")->required();
  import.callback([&chosen, path] {
    chosen = [path](const Context& context) { return import_bins(context, *path); };
  });

  CLI::App& lookup = command(bin, "lookup", "scheme, country and currency of leading digits",
                             "  cardvault bin lookup 41111111\n"
                             "  cardvault bin lookup --stdin < number.txt");
  struct Options {
    std::string digits;
    bool from_stdin = false;
  };
  const auto options = std::make_shared<Options>();
  auto* digits = lookup.add_option("DIGITS", options->digits, "4 to 11 leading digits");
  lookup.add_flag("--stdin", options->from_stdin, "read the number from stdin instead")
      ->excludes(digits);
  lookup.callback([&chosen, options] {
    if (options->digits.empty() && !options->from_stdin) {
      throw CLI::RequiredError("DIGITS or --stdin");
    }
    chosen = [options](const Context& context) { return look_up_bin(context, options->digits); };
  });
}

void add_init(CLI::App& app, Chosen& chosen) {
  CLI::App& init = command(
      app, "init", "make a new vault: token, keys, databases, settings",
      "  cardvault init --dir /var/lib/cardvault --config-dir /etc/cardvault --run-dir "
      "/run/cardvault\n"
      "  cardvault init --dir ~/vault\n"
      "  cardvault init --dir ~/vault --module /usr/lib/x86_64-linux-gnu/libsoftokn3.so \\\n"
      "      --init-args \"configdir='sql:$HOME/vault-nss' certPrefix='' keyPrefix='' "
      "secmod='secmod.db'\"");
  const auto options = std::make_shared<InitOptions>();
  options->module = "/usr/lib/softhsm/libsofthsm2.so";
  options->gates = {"web", "processor", "auditor"};
  init.add_option("--dir", options->dir, "where data, token and PINs are put")->required();
  init.add_option("--config-dir", options->config_dir, "where vault.toml goes (default: DIR)");
  init.add_option("--run-dir", options->run_dir, "where the sockets are (default: DIR/run)");
  init.add_option("--module", options->module, "PKCS#11 module")->capture_default_str();
  init.add_option("--init-args", options->init_args, "what the module wants at C_Initialize");
  init.add_option("--label", options->label, "of the new token")->capture_default_str();
  init.add_option("--daemon-user", options->daemon_user,
                  "account or uid of cardvaultd (default: cardvault for root, else yours)");
  init.add_option("--gate", options->gates,
                  "NAME or NAME=USER of a gate, repeatable (default user: cardvault-NAME for root)")
      ->take_all()
      ->capture_default_str();
  init.add_option("--admin", options->operators,
                  "account, or UID=NAME, that may use this tool on it, repeatable (default: you)")
      ->take_all();
  init.callback([&chosen, options] {
    chosen = [options](const Context& context) { return init_vault(context, *options); };
  });
}

}  // namespace

void add_file_commands(CLI::App& app, Chosen& chosen) {
  add_init(app, chosen);
  add_bins(app, chosen);
  CLI::App& examine =
      command(app, "doctor", "check everything a vault needs, and explain it",
              "  cardvault doctor\n"
              "  cardvault --format json doctor | jq '.[] | select(.severity == \"error\")'");
  examine.callback([&chosen] { chosen = doctor; });
}

}  // namespace cardvault::provisioning
