#include "provisioning/auditor/audit_options.h"

#include <memory>

namespace cardvault::auditor {

void add_find_options(CLI::App& command, FindOptions& options) {
  EventQuery& query = options.query;
  command.add_option("--token", query.tokens, "events that name this token, repeatable")
      ->allow_extra_args(false);
  command.add_option("--customer", query.customers, "of this internal id, repeatable")
      ->allow_extra_args(false);
  command.add_option("--client", query.clients, "by this client or about it, repeatable")
      ->allow_extra_args(false);
  command
      .add_option("--actor", query.actors,
                  "by this actor, as operator:NAME or custodian:NAME, repeatable")
      ->allow_extra_args(false);
  command
      .add_option("--fingerprint", query.fingerprints,
                  "of this card, VERSION:DIGITS: its events and those of its tokens, repeatable")
      ->allow_extra_args(false);
  command
      .add_option("--operation", query.operations,
                  "tokenize, detokenize, key.* and so on, repeatable")
      ->allow_extra_args(false);
  command
      .add_option("--outcome", query.outcomes,
                  "ok, refused (all but ok), or a refusal's code, repeatable")
      ->allow_extra_args(false);
  command.add_option("--since", options.since, "UTC, as in 2026-12-01 or 2026-12-01T06:00:00Z");
  command.add_option("--until", options.until, "before then");
  command.add_option("--format", options.format, "how to print them")
      ->check(CLI::IsMember({"table", "json", "csv"}));
  command.add_option("--limit,-n", options.limit, "no more than so many");
  command.add_option("--also", options.also, "a folder with months moved away, repeatable")
      ->take_all();
  add_custodians(command, options.custodians);
  command.add_option("--index", options.index, "where indexes are kept (default: DIR/index)");
  command.add_flag("--no-index", options.no_index, "read everything, keep nothing");
  add_threads(command, options.threads);
}

void add_find(CLI::App& parent, const std::string& program,
              const std::function<void(Command)>& chosen) {
  CLI::App& command = add_command(
      parent, "find", "every event of a token, card, customer, client or time",
      "  " + program + " find /srv/vault-log --key audit.vkey --token tok_01K…\n  " + program +
          " find /srv/vault-log --key audit.vkey --fingerprint 1:… --fingerprint 2:…\n  " +
          program +
          " find /srv/vault-log --key audit.vkey --client web --outcome refused --since "
          "2026-11-01 --format csv > refused.csv\n"
          "What is named several times is looked for by each, and all that is named must fit.\n"
          "Where the vault is, `cardvault audit pan-fingerprint` makes fingerprints of a "
          "number.\n");
  const auto finding = std::make_shared<FindOptions>();
  command.add_option("DIR", finding->folder, "the published log: checkpoint and tile/")->required();
  command
      .add_option("--key", finding->key, "audit.vkey, a PEM public key, or a verifier key's text")
      ->required();
  add_find_options(command, *finding);
  command.callback([chosen, finding] {
    chosen(guarded([finding](const Terminal& terminal) { return find(*finding, terminal); }));
  });
}

}  // namespace cardvault::auditor
