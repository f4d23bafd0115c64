#include "provisioning/key_clone.h"

#include <algorithm>
#include <utility>

#include "provisioning/key_backup.h"
#include "provisioning/key_change.h"
#include "provisioning/key_vault_line.h"
#include "provisioning/renewed_token.h"
#include "vault/daemon/config.h"
#include "vault/daemon/key_states.h"

namespace cardvault::provisioning {
namespace {

const hsm::TokenConfig& find_standby(const daemon::Config& config, unsigned to) {
  if (config.standbys.empty()) {
    throw ToolError(ExitCode::kRefused,
                    config.path +
                        " names no second HSM to bring keys to: [[hsm.standby]], see "
                        "vault.toml(5)");
  }
  if (to < 2 || to > config.standbys.size() + 1) {
    throw ToolError(
        ExitCode::kUsage,
        "--to " + std::to_string(to) + ": those that stand by are 2" +
            (config.standbys.size() == 1 ? ""
                                         : " to " + std::to_string(config.standbys.size() + 1)));
  }
  return config.standbys[to - 2];
}

Custody find_backup(const daemon::Config& config) {
  auto custody = read_custody(config.unseal.custody_dir);
  if (!custody) {
    throw ToolError(ExitCode::kRefused,
                    "this vault's custodians have no backup key, and no key leaves an HSM without "
                    "one: clone by the vendor's own means (docs/keys.md, \"Two HSMs\")");
  }
  return std::move(*custody);
}

// The register's symmetric keys as they are kept, suite 2's second ones included.
std::vector<hsm::WrappedKey> select_keys(const Custody& custody, const wire::AdminAnswer& keys) {
  std::vector<hsm::WrappedKey> out;
  for (const auto& row : keys.rows) {
    const std::string& label = row.at(0);
    const auto key = daemon::parse_key(label);
    if (!key) throw ToolError(ExitCode::kUnreachable, "the vault's answer does not read");
    if (core::is_signature(key->purpose)) continue;
    const auto& kept = custody.wrapped.keys;
    const auto found = std::ranges::find(kept, label, &hsm::WrappedKey::label);
    const bool same =
        found != kept.end() && (found->kcv.empty() || row.at(1).empty() || found->kcv == row.at(1));
    if (!same) {
      throw ToolError(ExitCode::kRefused,
                      custody.wrapped_keys_path +
                          (found == kept.end() ? " lacks " : " has another ") + label +
                          ": put the newest copy of that file back, or clone by the "
                          "vendor's own means");
    }
    out.push_back(*found);
    const auto second = std::ranges::find(kept, second_label(label), &hsm::WrappedKey::label);
    if (second != kept.end()) out.push_back(*second);
  }
  return out;
}

void finish_earlier(const Context& context, const daemon::Config& config, TokenChange& change) {
  if (pins_half_renewed(config.unseal.custody_dir)) {
    throw ToolError(ExitCode::kRefused,
                    "a renewal of PINs was broken off: `cardvault share renew` ends it");
  }
  const auto left = change.unfinished();
  if (!left) return;
  if (left->verb != "clone") {
    throw ToolError(ExitCode::kRefused, "another change of that token was broken off (" +
                                            left->verb + " " + left->label +
                                            "): finish it first, by the command that began it");
  }
  context.err << "cardvault: going on with what was broken off\n";
  change.confirm();  // it has all that it had, and more
}

// Problems of that HSM, by its name: the vault's own may be well.
BroughtKeys bring(TokenChange& change, const std::vector<hsm::WrappedKey>& keys,
                  const AskBackupKey& ask, const std::string& name) {
  try {
    return change.bring(keys, ask);
  } catch (const ToolError& problem) {
    throw ToolError(problem.code(), name + ": " + problem.what());
  } catch (const base::StartupError& problem) {
    throw ToolError(ExitCode::kLocal, name + ": " + problem.what());
  }
}

void show(const Context& context, const wire::AdminAnswer& keys, const BroughtKeys& done) {
  wire::AdminAnswer table;
  table.columns = {"key", "check value", "on that HSM"};
  bool some_stay = false;
  for (const auto& row : keys.rows) {
    const bool made = std::ranges::find(done.brought, row.at(0)) != done.brought.end();
    const bool was = std::ranges::find(done.before, row.at(0)) != done.before.end();
    some_stay = some_stay || (!made && !was);
    table.rows.push_back({row.at(0), row.at(1), made ? "brought" : was ? "was there" : "lacks"});
  }
  render(context.out, context.format, table);
  if (some_stay) {
    context.err << "cardvault: a key that signs never leaves an HSM wrapped: while the others are "
                   "away, what it signs has to wait. Vendors clone whole HSMs\n";
  }
}

std::string list_of(const std::vector<std::string>& labels) {
  std::string out;
  for (const std::string& label : labels) out += (out.empty() ? "" : " ") + label;
  return out;
}

}  // namespace

ExitCode clone_keys(const Context& context, const CloneOptions& options) {
  const daemon::Config config = daemon::read_config(context.config);
  const hsm::TokenConfig& standby = find_standby(config, options.to);
  const Custody custody = find_backup(config);
  const std::string uri = standby.token_uri.substr(0, standby.token_uri.find('?'));
  const std::string name = "HSM " + std::to_string(options.to) + " (" + uri + ")";
  const auto change = open_token_change(standby, pin_of_custodians(config));
  finish_earlier(context, config, *change);
  Arguments which{{"hsm", std::to_string(options.to)}, {"token", uri}};
  const auto keys = ask_apart(context, "key.clone", which);
  if (!keys.ok || keys.rows.empty()) return conclude(context, keys);
  const auto wrapped = select_keys(custody, keys);
  const auto ask = [&] {
    return enter_backup_key(custody, "The vault's keys are brought to " + name +
                                         ": they come out of the custodians' backup.");
  };
  const BroughtKeys done = bring(*change, wrapped, ask, name);
  if (change->unfinished()) change->confirm();
  show(context, keys, done);
  which.emplace_back("keys", list_of(done.brought));
  return conclude(context, ask_apart(context, "key.cloned", std::move(which)));
}

}  // namespace cardvault::provisioning
