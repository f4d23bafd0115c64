#include "provisioning/key_acts.h"

#include <algorithm>

#include "provisioning/key_backup.h"
#include "provisioning/key_change.h"
#include "provisioning/key_vault_line.h"
#include "provisioning/papers_lock.h"
#include "provisioning/renewed_token.h"
#include "provisioning/time_text.h"
#include "vault/daemon/config.h"
#include "vault/daemon/key_states.h"

namespace cardvault::provisioning {
namespace {

// Why the vault can't go on with the changed token; empty: it does. What it signed about it goes to
// `statement`.
std::string try_change(const Context& context, const TokenChangeNote& note,
                       std::string& statement) {
  const auto adopted = ask_apart(context, "key.adopt", {});
  if (!adopted.ok) return adopted.message;
  if (note.verb == "destroy") return "";
  const auto row = std::ranges::find_if(
      adopted.rows, [&](const auto& one) { return !one.empty() && one[0] == note.label; });
  if (row == adopted.rows.end()) return "the vault does not see " + note.label;
  const auto activated = ask_apart(
      context, "key.activate",
      {{"label", note.label}, {"kcv", note.kcv}, {"kcv_kind", note.kcv_kind}, {"kind", note.kind}});
  if (!activated.rows.empty()) statement = activated.rows[0].at(0);
  return activated.ok ? "" : activated.message;
}

// The changed token is live: the vault takes it up, or the old one comes back.
ExitCode finish(const Context& context, TokenChange& change, const TokenChangeNote& note) {
  std::string statement;
  const std::string refused = try_change(context, note, statement);
  if (!refused.empty()) {
    change.take_back(note);
    const auto back = ask_apart(context, "key.adopt", {});
    context.err << "cardvault: the vault refused the changed token, and the one before is back: "
                << printable(refused) << '\n';
    if (!back.ok) context.err << "cardvault: " << printable(back.message) << '\n';
    return ExitCode::kRefused;
  }
  change.confirm();
  if (note.verb == "make") {
    wire::AdminAnswer table;
    table.columns = {"key", "kind", "check value", "of"};
    table.rows = {{note.label, note.kind, note.kcv, note.kcv_kind}};
    render(context.out, context.format, table);
    context.err << "cardvault: " << note.label << " is active now\n";
    if (!statement.empty()) {
      context.err << "cardvault: keep its verification key beside audit.vkey; the key before it "
                     "vouches for it:\n"
                  << statement;
    }
    return ExitCode::kDone;
  }
  const auto gone = ask_apart(context, "key.destroyed", {{"label", note.label}});
  if (!gone.message.empty()) context.err << "cardvault: " << printable(gone.message) << '\n';
  return gone.ok ? ExitCode::kDone : ExitCode::kRefused;
}

// Finishes what was broken off; returns its label when that went well.
std::string finish_earlier(const Context& context, const daemon::Config& config,
                           TokenChange& change) {
  const auto left = change.unfinished();
  const bool renewal = pins_half_renewed(config.unseal.custody_dir);
  if (!left && !renewal) return "";
  if (renewal || (left->verb != "make" && left->verb != "destroy")) {
    throw ToolError(
        ExitCode::kRefused,
        left && left->verb == "clone"
            ? "keys were being brought to this token: put it back where it was in [hsm], and "
              "`cardvault key clone` ends it"
            : "a renewal of the token's PINs was broken off: `cardvault share renew` ends it");
  }
  context.err << "cardvault: going on with what was broken off: "
              << (left->verb == "make" ? "making " : "destroying ") << left->label << '\n';
  return finish(context, change, *left) == ExitCode::kDone ? left->label : "";
}

}  // namespace

ExitCode rotate_key(const Context& context, const RotateOptions& options) {
  const std::string& purpose = options.purpose;
  const daemon::Config config = daemon::read_config(context.config);
  // A renewal wraps the token's keys anew; one that is made meanwhile would be in no copy.
  const PapersLock papers(config.unseal.custody_dir);
  const auto change = open_token_change(config.hsm, pin_of_custodians(config));
  if (finish_earlier(context, config, *change).starts_with(purpose + "/")) return ExitCode::kDone;
  Arguments arguments{{"purpose", purpose}};
  if (options.first_hsm_only) arguments.emplace_back("first_hsm_only", "true");
  const auto begun = ask_apart(context, "key.rotate", std::move(arguments));
  if (!begun.ok) return conclude(context, begun);
  const auto backup = open_key_backup(config, purpose);
  const auto key = daemon::parse_key(begun.rows.at(0).at(0));
  if (!key) throw ToolError(ExitCode::kUnreachable, "the vault's answer does not read");
  return finish(context, *change, change->make(*key, backup.get()));
}

ExitCode destroy_key(const Context& context, const DestroyOptions& options) {
  const daemon::Config config = daemon::read_config(context.config);
  const auto key = daemon::parse_key(options.label);
  if (!key) throw ToolError(ExitCode::kUsage, "which key? as in pan-enc/1");
  Arguments arguments{{"label", options.label}};
  // Custodians who approve it approve its delay.
  arguments.emplace_back(
      "after_s", std::to_string(options.after.empty() ? config.keys.destroy_after_days * 86'400LL
                                                      : parse_duration(options.after)));
  if (options.give_up_log_search) arguments.emplace_back("give_up_log_search", "true");
  const auto change = open_token_change(config.hsm, pin_of_custodians(config));
  if (finish_earlier(context, config, *change) == options.label) return ExitCode::kDone;
  auto answer = ask_apart(context, "key.destroy", std::move(arguments));
  const bool due = answer.ok && !answer.rows.empty();
  if (!due) return conclude(context, answer);
  // The vault has no copy of it in any session now.
  if (const auto note = change->destroy(*key)) return finish(context, *change, *note);
  return conclude(context, ask_apart(context, "key.destroyed", {{"label", options.label}}));
}

ExitCode rewrap_key(const Context& context, const std::string& purpose, bool watch) {
  Arguments arguments{{"purpose", purpose}};
  if (!watch) arguments.emplace_back("watch", "false");
  const wire::AdminAnswer answer =
      ask(context, *context.open(context), "key.rewrap", std::move(arguments));
  if (!answer.ok || context.format == Format::kJson) return conclude(context, answer);
  // Notes are bytes that somebody will check a signature over: as they are, one after the other.
  for (const auto& row : answer.rows) context.out << row.at(0) << '\n';
  context.err << "cardvault: " << printable(answer.message) << '\n';
  return ExitCode::kDone;
}

ExitCode print_statement(const Context& context, const std::string& label) {
  wire::AdminAnswer answer =
      ask(context, *context.open(context), "key.statement", {{"label", label}});
  if (answer.ok && context.format == Format::kTable) {
    context.out << answer.rows.at(0).at(0);
    return ExitCode::kDone;
  }
  return conclude(context, answer);
}

}  // namespace cardvault::provisioning
