// The command line of the vault's own CA for clients.
#include <memory>

#include "provisioning/commands.h"
#include "provisioning/enroll_acts.h"

namespace cardvault::provisioning {
namespace {

constexpr std::uint32_t kMaxDays = 398;

void add_enroll(CLI::App& client, Chosen& chosen) {
  CLI::App& app = command(
      client, "enroll", "sign a client's certificate request with the vault's own CA",
      "  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout web.key \\\n"
      "      -subj /CN=web -out web.csr                # the client, on its own machine\n"
      "  cardvault client add web --enrolled --permissions tokenize,cards.read\n"
      "  cardvault client enroll web --request web.csr --out web.pem\n"
      "Of the request only the key is taken: the name is the registered one. To renew, run it\n"
      "again with a new request; both certificates hold until the first one ends.");
  const auto options = std::make_shared<EnrollOptions>();
  app.add_option("ID", options->id, "a registered client")->required();
  app.add_option("--request", options->request, "its certificate request (PKCS#10, PEM or DER)")
      ->required();
  app.add_option("--out", options->out, "the certificate's new file (default: stdout)");
  app.add_option("--days", options->days, "how long it lasts (default: [clients] in vault.toml)")
      ->check(CLI::Range(std::uint32_t{1}, kMaxDays));
  app.callback([&chosen, options] {
    chosen = [options](const Context& context) { return enroll_client(context, *options); };
  });
}

void add_certificates(CLI::App& client, Chosen& chosen) {
  CLI::App& app = command(client, "certificates", "what the vault's own CA has issued",
                          "  cardvault client certificates\n  cardvault client certificates web");
  const auto id = std::make_shared<std::string>();
  app.add_option("ID", *id, "of this client only");
  app.callback([&chosen, id] {
    chosen = [id](const Context& context) {
      return act(context, "client.certificates",
                 id->empty() ? Arguments{} : Arguments{{"id", *id}});
    };
  });
}

void add_revoke(CLI::App& client, Chosen& chosen) {
  CLI::App& app = command(client, "revoke", "refuse a client, or one certificate, for good",
                          "  cardvault client revoke web\n"
                          "  cardvault client revoke web --serial 4f0c…     # the other one holds");
  struct Options {
    std::string id, serial;
  };
  const auto options = std::make_shared<Options>();
  app.add_option("ID", options->id, "the client")->required();
  app.add_option("--serial", options->serial,
                 "only this certificate, of `cardvault client certificates`");
  app.callback([&chosen, options] {
    chosen = [options](const Context& context) {
      Arguments arguments{{"id", options->id}};
      if (!options->serial.empty()) arguments.emplace_back("serial", options->serial);
      return act(context, "client.revoke", std::move(arguments));
    };
  });
}

}  // namespace

void add_enroll_commands(CLI::App& client, Chosen& chosen) {
  add_enroll(client, chosen);
  add_certificates(client, chosen);
  add_revoke(client, chosen);
  CLI::App& ca = command(client, "ca", "the certificates of the vault's own CA for clients",
                         "  cardvault client ca > client-ca.pem");
  ca.callback(
      [&chosen] { chosen = [](const Context& context) { return print_client_ca(context); }; });
}

}  // namespace cardvault::provisioning
