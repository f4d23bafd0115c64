#include <memory>

#include "provisioning/acts.h"
#include "provisioning/commands.h"
#include "provisioning/key_vault_line.h"
#include "provisioning/unseal_acts.h"

namespace cardvault::provisioning {

void add_plain(CLI::App& parent, Chosen& chosen, const char* name, const char* what,
               const char* verb, const char* examples, const char* key, const char* argument) {
  CLI::App& app = command(parent, name, what, examples);
  const auto value = std::make_shared<std::string>();
  if (key != nullptr) app.add_option(argument, *value)->required();
  app.callback([&chosen, value, verb, key] {
    chosen = [value, verb, key](const Context& context) {
      return act(context, verb, key == nullptr ? Arguments{} : Arguments{{key, *value}});
    };
  });
}

namespace {

void add_client_add(CLI::App& parent, Chosen& chosen) {
  CLI::App& app = command(
      parent, "add", "register a client certificate",
      "  cardvault client add web --cert web.pem --permissions tokenize,cards.read,cards.manage\n"
      "  cardvault client add processor --san dns:pay.bank.example --permissions detokenize \\\n"
      "      --purposes payment,refund --reveals-per-hour 500\n"
      "  cardvault client add web --enrolled --permissions tokenize,cards.read");
  const auto options = std::make_shared<ClientOptions>();
  app.add_option("ID", options->id, "a name for it: a-z, 0-9, '.', '_', '-'")->required();
  auto* by = app.add_option_group("identity", "what tells the client");
  by->add_option("--cert", options->certificate, "its certificate (PEM): pins its key");
  by->add_option("--san", options->san, "a name in its certificate: dns:NAME or uri:URI");
  by->add_option("--spki", options->spki, "SHA-256 of its public key (SPKI), 64 hex digits");
  by->add_flag("--enrolled", options->enrolled,
               "none yet: `cardvault client enroll` gives it one of the vault's own CA");
  by->require_option(1);
  app.add_flag("--by-san", options->by_san,
               "with --cert: register the name in it, so that a renewed key stays valid");
  app.add_option("--permissions", options->permissions,
                 "comma-separated: tokenize, tokenize.anonymous, cards.read, cards.manage,\n"
                 "detokenize, detokenize.sealed, otp.seal, otp.verify, otp.clear, secrets.manage,\n"
                 "secrets.verify, audit.read, metrics.read")
      ->required();
  app.add_option("--purposes", options->purposes,
                 "for detokenize, comma-separated; '*' allows any purpose");
  app.add_option("--rate", options->rate, "requests (items of a batch count) per second");
  app.add_option("--reveals-per-hour", options->reveals_per_hour, "clear PANs per hour");
  app.add_option("--reveals-per-day", options->reveals_per_day, "clear PANs per day");
  app.callback([&chosen, options] {
    chosen = [options](const Context& context) { return add_client(context, *options); };
  });
}

void add_client_change(CLI::App& parent, Chosen& chosen) {
  CLI::App& app = command(
      parent, "change", "give a client other rights; what is not named stays",
      "  cardvault client change processor --permissions detokenize,cards.read\n"
      "  cardvault client change processor --reveals-per-day 200\n"
      "On a vault with custodians, more rights take their quorum (docs/custody.md); fewer don't.");
  const auto rights = std::make_shared<ClientRights>();
  app.add_option("ID", rights->id, "the client")->required();
  app.add_option("--permissions", rights->permissions, "comma-separated, as in `client add`");
  app.add_option("--purposes", rights->purposes, "for detokenize; '*' allows any");
  app.add_option("--rate", rights->rate, "items per second; 0: the vault's default");
  app.add_option("--reveals-per-hour", rights->reveals_per_hour, "clear PANs; 0: the default");
  app.add_option("--reveals-per-day", rights->reveals_per_day, "clear PANs; 0: the default");
  app.callback([&chosen, rights] {
    chosen = [rights](const Context& context) { return change_client(context, *rights); };
  });
}

void add_gates(CLI::App& app, Chosen& chosen) {
  CLI::App& gate = command(app, "gate", "what gates may assert", "  cardvault gate approve");
  gate.require_subcommand(1);
  CLI::App& approve =
      command(gate, "approve", "have the custodians approve gates' ceilings and default quotas",
              "  cardvault gate approve\n"
              "  cardvault gate approve --approvals gate.approve-1a2b3c4d\n"
              "As vault.toml has them now; what it allows beyond the last approval is refused at\n"
              "reload and start.");
  approve.callback([&chosen] { chosen = approve_gates; });
}

void add_client_release(CLI::App& parent, Chosen& chosen) {
  CLI::App& app = command(
      parent, "release", "let a frozen client ask again",
      "  cardvault client release processor\n"
      "As [admin] two_operators in vault.toml has it, two operators have to say so: the first\n"
      "call ends with exit code 5, the other operator's within 24 hours releases.");
  const auto id = std::make_shared<std::string>();
  app.add_option("ID", *id)->required();
  app.callback([&chosen, id] {
    chosen = [id](const Context& context) {
      return act_apart(context, "client.release", {{"id", *id}});
    };
  });
}

void add_clients(CLI::App& app, Chosen& chosen) {
  CLI::App& client = command(app, "client", "who may ask the vault",
                             "  cardvault client list\n  cardvault client freeze web");
  client.require_subcommand(1);
  add_client_add(client, chosen);
  add_client_change(client, chosen);
  add_plain(client, chosen, "list", "all clients, with permissions and state", "client.list",
            "  cardvault client list\n  cardvault --format json client list | jq -r '.[].client'");
  add_enroll_commands(client, chosen);
  add_plain(client, chosen, "freeze", "refuse a client until it is released", "client.freeze",
            "  cardvault client freeze processor", "id", "ID");
  add_client_release(client, chosen);
}

void add_customers(CLI::App& app, Chosen& chosen) {
  constexpr const char* kExample =
      "  echo +77010000001 | cardvault customer freeze\n"
      "The identifier is read from stdin: a command line is seen by every account of the machine.";
  CLI::App& customer = command(app, "customer", "block and unblock a customer", kExample);
  customer.require_subcommand(1);
  for (const bool frozen : {true, false}) {
    CLI::App& one =
        command(customer, frozen ? "freeze" : "unfreeze",
                frozen ? "refuse to store or reveal a customer's cards, and their codes "
                         "and passwords; masked data is still shown"
                       : "allow a frozen customer's requests again",
                kExample);
    one.callback([&chosen, frozen] {
      chosen = [frozen](const Context& context) {
        return act_on_customer(context, frozen ? "customer.freeze" : "customer.unfreeze");
      };
    });
  }
}

void add_tokens(CLI::App& app, Chosen& chosen) {
  CLI::App& token = command(app, "token", "look at a card's token, stop it, delete it",
                            "  cardvault token inspect tok_01KAMZJ0000000000000000000");
  token.require_subcommand(1);
  add_plain(token, chosen, "inspect", "what the vault keeps of it, masked", "token.inspect",
            "  cardvault token inspect tok_01KAMZJ0000000000000000000", "token", "TOKEN");
  add_plain(token, chosen, "freeze", "refuse to reveal it", "token.freeze",
            "  cardvault token freeze tok_01KAMZJ0000000000000000000", "token", "TOKEN");
  add_plain(token, chosen, "unfreeze", "allow to reveal it again", "token.unfreeze",
            "  cardvault token unfreeze tok_01KAMZJ0000000000000000000", "token", "TOKEN");
  add_plain(token, chosen, "delete", "delete the card, from the file too; there is no way back",
            "token.delete", "  cardvault token delete tok_01KAMZJ0000000000000000000", "token",
            "TOKEN");
}

}  // namespace

void add_operator_commands(CLI::App& app, Chosen& chosen) {
  add_plain(app, chosen, "status", "state of the vault: HSM, store, clock, load", "status",
            "  cardvault status");
  add_plain(app, chosen, "reload", "read the configuration again", "reload", "  cardvault reload");
  command(app, "seal",
          "end all sessions with the HSM and forget its PIN; only custodians open it again",
          "  cardvault seal")
      .callback([&chosen] { chosen = seal; });
  add_key_commands(app, chosen);
  add_clients(app, chosen);
  add_gates(app, chosen);
  add_customers(app, chosen);
  add_tokens(app, chosen);
  CLI::App& clock = command(app, "clock", "vault time", "  cardvault clock confirm");
  clock.require_subcommand(1);
  add_plain(clock, chosen, "confirm",
            "vouch for the machine's clock after a jump: writes and codes go on", "clock.confirm",
            "  date --utc; cardvault clock confirm");
}

}  // namespace cardvault::provisioning
