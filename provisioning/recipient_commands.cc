#include <memory>

#include "provisioning/commands.h"
#include "provisioning/recipient_acts.h"

namespace cardvault::provisioning {
namespace {

// Its certificate, and what vouches for it.
void add_certificate(CLI::App& app, RecipientOptions& options) {
  app.add_option("--cert", options.certificate,
                 "its certificate (PEM or DER): EC on P-256 or P-384, or RSA of 3072 bits or more");
  app.add_option("--ca", options.ca, "the CA that issued it (PEM)");
  app.add_option("--pin", options.pin,
                 "or SHA-256 of its public key (SPKI), 64 hex digits, heard from the recipient on "
                 "another way");
}

void require_certificate(const RecipientOptions& options) {
  if (options.certificate.empty()) throw CLI::RequiredError("--cert");
  if (options.ca.empty() && options.pin.empty()) throw CLI::RequiredError("--ca or --pin");
}

void add_add(CLI::App& parent, Chosen& chosen) {
  CLI::App& app =
      command(parent, "add", "register a recipient and its certificate",
              "  cardvault recipient add sms-gateway --cert sms.pem --ca bank-ca.pem --may otp\n"
              "  cardvault recipient add acquirer --cert acquirer.pem --may reveal \\\n"
              "      --pin 5d223f6e73b341532ea55a6f1069a062a1974997588ff31315fd5c834874e7fb");
  const auto options = std::make_shared<RecipientOptions>();
  app.add_option("NAME", options->name, "a name for it: a-z, 0-9, '.', '_', '-'")->required();
  add_certificate(app, *options);
  app.add_option("--may", options->may,
                 "what may be sealed to it: otp (one-time codes), reveal (cards), or otp,reveal")
      ->required();
  app.callback([&chosen, options] {
    require_certificate(*options);
    chosen = [options](const Context& context) { return add_recipient(context, *options); };
  });
}

void add_replace(CLI::App& parent, Chosen& chosen) {
  CLI::App& app = command(
      parent, "replace", "give a recipient another certificate, at once or from a time on",
      "  cardvault recipient replace acquirer --cert new.pem --ca bank-ca.pem --after 24h\n"
      "  cardvault recipient replace acquirer --cert new.pem --ca bank-ca.pem \\\n"
      "      --from 2026-12-01T06:00:00Z\n"
      "  cardvault recipient replace acquirer --cancel\n"
      "Until then the old one is sealed to: the recipient holds both keys meanwhile, and the\n"
      "`kid` of a message tells which. Another replacement takes the place of a pending one.");
  const auto options = std::make_shared<RecipientOptions>();
  const auto cancel = std::make_shared<bool>(false);
  app.add_option("NAME", options->name)->required();
  add_certificate(app, *options);
  auto* after =
      app.add_option("--after", options->after, "from so long from now: 90s, 30m, 36h, 7d");
  app.add_option("--from", options->from, "from this time on, UTC: 2026-12-01T06:00:00Z")
      ->excludes(after);
  app.add_flag("--cancel", *cancel, "drop the pending replacement")
      ->excludes("--cert", "--ca", "--pin", "--after", "--from");
  app.callback([&chosen, options, cancel] {
    if (!*cancel) require_certificate(*options);
    chosen = [options, cancel](const Context& context) {
      if (!*cancel) return replace_recipient(context, *options);
      return act(context, "recipient.replace", {{"name", options->name}, {"cancel", "true"}});
    };
  });
}

}  // namespace

void add_recipient_commands(CLI::App& app, Chosen& chosen) {
  CLI::App& recipient =
      command(app, "recipient", "who may be sent sealed codes and cards",
              "  cardvault recipient list\n  cardvault recipient remove acquirer");
  recipient.require_subcommand(1);
  add_add(recipient, chosen);
  add_plain(recipient, chosen, "list", "all recipients, with certificates and when they end",
            "recipient.list",
            "  cardvault recipient list\n"
            "  cardvault --format json recipient list | jq -r '.[].\"valid until\"'");
  add_plain(recipient, chosen, "remove", "seal nothing to it any more", "recipient.remove",
            "  cardvault recipient remove acquirer", "name", "NAME");
  add_replace(recipient, chosen);
}

}  // namespace cardvault::provisioning
