// Commands about wrong tries, canaries and what the vault signs with.
#include <memory>

#include "provisioning/acts.h"
#include "provisioning/commands.h"

namespace cardvault::provisioning {
namespace {

void add_otp(CLI::App& app, Chosen& chosen) {
  constexpr const char* kExample =
      "  echo +77010000001 | cardvault otp status\n"
      "  echo +77010000001 | cardvault otp unlock\n"
      "The identifier is read from stdin: a command line is seen by every account of the machine.";
  CLI::App& otp =
      command(app, "otp", "a customer's wrong codes and passwords: look, unlock", kExample);
  otp.require_subcommand(1);
  CLI::App& status =
      command(otp, "status", "wrong tries, locks and sent codes, by purpose", kExample);
  status.callback([&chosen] {
    chosen = [](const Context& context) { return act_on_customer(context, "otp.status"); };
  });
  CLI::App& unlock =
      command(otp, "unlock", "end a customer's locks and forget the wrong tries", kExample);
  unlock.callback([&chosen] {
    chosen = [](const Context& context) { return act_on_customer(context, "otp.unlock"); };
  });
}

void add_canary(CLI::App& app, Chosen& chosen) {
  CLI::App& canary = command(app, "canary", "tokens that nobody should reveal: who does is frozen",
                             "  cardvault canary plant --bin 41111111\n  cardvault canary list");
  canary.require_subcommand(1);
  CLI::App& plant =
      command(canary, "plant", "store random numbers as cards of nobody, and print their tokens",
              "  cardvault canary plant --bin 41111111 --count 5\n"
              "  cardvault --format json canary plant --bin 41111111 --token-format numeric | jq "
              "-r '.[].token'\n"
              "Put the tokens where only a thief would take them: in the web tier's database, in a "
              "backup.");
  struct Options {
    std::string bin;
    std::string format = "opaque";
    std::uint32_t count = 1;
  };
  const auto options = std::make_shared<Options>();
  plant.add_option("--bin", options->bin, "4 to 11 leading digits, of cards that the vault stores")
      ->required();
  plant.add_option("--token-format", options->format, "how the token looks")
      ->check(CLI::IsMember({"opaque", "numeric"}))
      ->capture_default_str();
  plant.add_option("--count", options->count, "how many, at most 100")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  plant.callback([&chosen, options] {
    chosen = [options](const Context& context) {
      return act(context, "canary.plant",
                 {{"bin", options->bin},
                  {"format", options->format},
                  {"count", std::to_string(options->count)}});
    };
  });
  add_plain(canary, chosen, "list", "the planted ones", "canary.list", "  cardvault canary list");
}

}  // namespace

void add_watch_commands(CLI::App& app, Chosen& chosen) {
  add_otp(app, chosen);
  add_canary(app, chosen);
  CLI::App& jwks =
      command(app, "jwks", "the public keys of sealed data and receipts, as a JWK set (RFC 7517)",
              "  cardvault jwks > cardvault.jwks\n"
              "For recipients and back ends, whom it reaches on a way that can be trusted.");
  jwks.callback([&chosen] { chosen = print_jwks; });
}

}  // namespace cardvault::provisioning
