#include <memory>

#include "provisioning/commands.h"
#include "provisioning/key_acts.h"
#include "provisioning/key_clone.h"
#include "provisioning/key_replace.h"

namespace cardvault::provisioning {
namespace {

constexpr const char* kPurposes =
    "pan-enc, pan-index, id-index, id-enc, otp-mac, secret-enc, seal-sign, audit-sign or client-ca";

void add_rotate(CLI::App& key, Chosen& chosen) {
  CLI::App& app = command(key, "rotate", "make a key's next version and use it from now on",
                          "  cardvault key rotate pan-enc\n"
                          "The vault goes on meanwhile. Killed at any moment, run it again.");
  const auto options = std::make_shared<RotateOptions>();
  app.add_option("PURPOSE", options->purpose, kPurposes)->required();
  app.add_flag("--first-hsm-only", options->first_hsm_only,
               "where there are several: the others don't serve until they have the key too");
  app.callback([&chosen, options] {
    chosen = [options](const Context& context) { return rotate_key(context, *options); };
  });
}

void add_replace(CLI::App& key, Chosen& chosen) {
  CLI::App& app = command(
      key, "replace", "put another audit-sign in the place of one that is gone from the token",
      "  cardvault key replace audit-sign                      # makes it, and names the action\n"
      "  cardvault approve --action FOLDER/key.replace.action --key anna.key   # each custodian\n"
      "  cardvault key replace audit-sign --approvals FOLDER\n"
      "For a key that is lost: one that is there is rotated. It takes the custodians' quorum, "
      "whose\n"
      "signatures go into the log in place of the lost key's.");
  app.add_option_function<std::string>(
         "PURPOSE", [](const std::string&) {},
         "audit-sign: what another key encrypts or signs can't be replaced")
      ->required()
      ->check(CLI::IsMember({"audit-sign"}));
  app.callback([&chosen] { chosen = replace_log_key; });
}

void add_clone(CLI::App& key, Chosen& chosen) {
  CLI::App& app = command(
      key, "clone", "bring the vault's keys to an HSM that stands by, from the custodians' backup",
      "  cardvault key clone --to 2                                        # names the action\n"
      "  cardvault approve --action FOLDER/key.clone.action --key anna.key   # each custodian\n"
      "  cardvault key clone --to 2 --approvals FOLDER\n"
      "K custodians enter their shares of the backup key on the terminal. What is there is passed "
      "over;\nanother key under the same label is never overwritten. Keys that sign stay where "
      "they are.\nThe vault goes on meanwhile. Killed at any moment, run it again.");
  const auto options = std::make_shared<CloneOptions>();
  app.add_option("--to", options->to, "its place among the HSMs of [hsm], from 2 (default: 2)");
  app.callback([&chosen, options] {
    chosen = [options](const Context& context) { return clone_keys(context, *options); };
  });
}

void add_rewrap(CLI::App& key, Chosen& chosen) {
  CLI::App& app =
      command(key, "rewrap",
              "put every row that stands under an earlier version under "
              "the active one",
              "  cardvault key rewrap pan-enc\n"
              "It goes on in the vault when this command ends; run again, it shows how far "
              "it is. At its end\nstands a signed statement, \"0 rows left on pan-enc/1\".");
  const auto purpose = std::make_shared<std::string>();
  const auto begin_only = std::make_shared<bool>(false);
  app.add_option("PURPOSE", *purpose, "pan-enc, pan-index, id-index, id-enc or secret-enc")
      ->required();
  app.add_flag("--no-wait", *begin_only, "begin, and leave it to the vault");
  app.callback([&chosen, purpose, begin_only] {
    chosen = [purpose, begin_only](const Context& context) {
      return rewrap_key(context, *purpose, !*begin_only);
    };
  });
}

void add_destroy(CLI::App& key, Chosen& chosen) {
  CLI::App& app =
      command(key, "destroy", "destroy a retired key, after a delay; there is no way back",
              "  cardvault key destroy pan-enc/1             # on a day in a week\n"
              "  cardvault key keep pan-enc/1                # thought better of it\n"
              "  cardvault key destroy pan-enc/1             # on that day: now it goes");
  const auto options = std::make_shared<DestroyOptions>();
  app.add_option("KEY", options->label, "as in pan-enc/1")->required();
  app.add_option("--after", options->after,
                 "the delay: 7d, 12h, 30m, 0 (default: [keys] destroy_after_days)");
  app.add_flag("--give-up-log-search", options->give_up_log_search,
               "for pan-index: nobody will find a card in the log of its time any more");
  app.callback([&chosen, options] {
    chosen = [options](const Context& context) { return destroy_key(context, *options); };
  });
}

}  // namespace

void add_key_commands(CLI::App& app, Chosen& chosen) {
  CLI::App& key = command(app, "key", "the vault's keys, from their making to their destruction",
                          "  cardvault key list\n  cardvault key rotate pan-enc");
  key.require_subcommand(1);
  add_plain(key, chosen, "list",
            "versions, states, check values, cryptoperiods, use of the GCM limit", "key.list",
            "  cardvault key list");
  add_rotate(key, chosen);
  add_replace(key, chosen);
  add_clone(key, chosen);
  add_rewrap(key, chosen);
  CLI::App& statement =
      command(key, "statement", "the signed statement that no row is left on a key",
              "  cardvault key statement pan-enc/1 > pan-enc-1.note");
  const auto label = std::make_shared<std::string>();
  statement.add_option("KEY", *label, "as in pan-enc/1")->required();
  statement.callback([&chosen, label] {
    chosen = [label](const Context& context) { return print_statement(context, *label); };
  });
  add_plain(key, chosen, "retire", "use an earlier version no more; refused while a row needs it",
            "key.retire", "  cardvault key retire pan-enc/1", "label", "KEY");
  add_destroy(key, chosen);
  add_plain(key, chosen, "keep", "call off a destruction that is not due yet", "key.keep",
            "  cardvault key keep pan-enc/1", "label", "KEY");
}

}  // namespace cardvault::provisioning
