#include "provisioning/key_replace.h"

#include <algorithm>

#include "provisioning/key_change.h"
#include "provisioning/key_vault_line.h"
#include "provisioning/renewed_token.h"
#include "vault/daemon/config.h"
#include "vault/daemon/key_states.h"

namespace cardvault::provisioning {
namespace {

std::string value_of(const wire::AdminAnswer& facts, std::string_view name) {
  for (const auto& row : facts.rows) {
    if (row.size() == 2 && row[0] == name) return row[1];
  }
  return "";
}

// The token with the new key is live, and the vault notes which one that is: another one under its
// label is nobody's. Nothing is signed with it before the custodians' word.
void adopt(const Context& context, TokenChange& change, const TokenChangeNote& note) {
  const auto adopted = ask_apart(context, "key.adopt", {{"made", note.label}, {"kcv", note.kcv}});
  if (adopted.ok) return change.confirm();
  change.take_back(note);
  static_cast<void>(ask_apart(context, "key.adopt", {}));
  throw ToolError(ExitCode::kRefused,
                  "the vault refused the changed token, and the one before is back: " +
                      printable(adopted.message));
}

void finish_earlier(const Context& context, const daemon::Config& config, TokenChange& change) {
  const auto left = change.unfinished();
  if (pins_half_renewed(config.unseal.custody_dir) || (left && left->verb == "renew")) {
    throw ToolError(
        ExitCode::kRefused,
        "a renewal of the token's PINs was broken off: `cardvault share renew` ends it");
  }
  if (!left) return;
  if (left->verb != "make" || !left->label.starts_with("audit-sign/")) {
    throw ToolError(ExitCode::kRefused, "another change of the token was broken off: finish " +
                                            left->verb + " " + left->label + " first");
  }
  adopt(context, change, *left);
}

// The token's own folder is locked while it is open.
wire::AdminAnswer make_where_missing(const Context& context) {
  const daemon::Config config = daemon::read_config(context.config);
  auto facts = ask_apart(context, "key.lost", {});
  if (!facts.ok) return facts;
  const auto change = open_token_change(config.hsm, pin_of_custodians(config));
  finish_earlier(context, config, *change);
  facts = ask_apart(context, "key.lost", {});
  if (!facts.ok) return facts;
  if (!value_of(facts, "vkey").empty()) return facts;
  const auto key = daemon::parse_key(value_of(facts, "key"));
  if (!key) throw ToolError(ExitCode::kUnreachable, "the vault's answer does not read");
  adopt(context, *change, change->make(*key, nullptr));
  return ask_apart(context, "key.lost", {});
}

}  // namespace

ExitCode replace_log_key(const Context& context) {
  const auto facts = make_where_missing(context);
  if (!facts.ok) return conclude(context, facts);
  Arguments arguments;
  for (const auto& row : facts.rows) arguments.emplace_back(row.at(0), row.at(1));
  return conclude(context, ask_apart(context, "key.replace", std::move(arguments)));
}

}  // namespace cardvault::provisioning
