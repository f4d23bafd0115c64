// A key of the log that is gone from the token, and the one that the custodians' quorum puts in its
// place (docs/keys.md, "When audit-sign is lost").
#include <algorithm>
#include <fstream>
#include <sstream>

#include "vault/audit/checkpoint.h"
#include "vault/audit/tile.h"
#include "vault/core/text_form.h"
#include "vault/custody/shamir.h"
#include "vault/daemon/admin.h"
#include "vault/daemon/admin_answers.h"
#include "vault/daemon/key_states.h"
#include "vault/daemon/publisher.h"
#include "vault/daemon/quorum_word.h"
#include "vault/daemon/vault_note.h"

namespace cardvault::daemon {

using base::Code;
using core::KeyRef;
using core::KeyRow;
using core::KeyState;

namespace {

constexpr core::KeyPurpose kPurpose = core::KeyPurpose::kAuditSign;

struct Loss {
  KeyRef lost, next;
  std::string lost_key;  // as text; the one that the last checkpoint is by
  std::string next_key;  // empty: no run of the command has made it yet
  audit::Checkpoint last;
  std::string note;  // of `last`
};

// The newest of the checkpoints that are left, of those that a key of this log signed.
base::Result<void> find_last(Vault& vault, Loss& loss) {
  const auto reader = vault.store().make_reader();
  if (!reader) return std::unexpected(reader.error());
  const auto keys = (*reader)->value(kLogKeysValue);
  if (!keys) return std::unexpected(keys.error());
  const auto noted = (*reader)->value(store::kPublishedValue);
  if (!noted) return std::unexpected(noted.error());
  std::ostringstream published;
  published << std::ifstream(vault.config().audit.dir + "/" + std::string(audit::kCheckpointPath))
                   .rdbuf();
  std::vector<std::string> notes = {published.str()};
  if (*noted && (*noted)->size() > kPublishedNoteOffset) {
    notes.emplace_back((*noted)->begin() + kPublishedNoteOffset, (*noted)->end());
  }
  std::istringstream lines(*keys ? std::string((*keys)->begin(), (*keys)->end()) : "");
  for (std::string text; std::getline(lines, text);) {
    const auto key = audit::VerifierKey::parse(text);
    if (!key) continue;
    for (const std::string& note : notes) {
      auto opened = audit::open_checkpoint(note, *key);
      if (opened.trust != audit::Trust::kGood || opened.checkpoint.size <= loss.last.size) continue;
      loss.last = std::move(opened.checkpoint);
      loss.note = note;
      loss.lost_key = text;
    }
  }
  return {};
}

base::Result<std::string> made_key(Vault& vault) {
  const auto reader = vault.store().make_reader();
  if (!reader) return std::unexpected(reader.error());
  const auto value = (*reader)->value(kMadeLogKeyValue);
  if (!value) return std::unexpected(value.error());
  return *value ? std::string(base::as_text(**value)) : "";
}

base::Result<std::optional<KeyRefusal>> find_loss(Vault& vault, Loss& loss) {
  const auto rows = vault.key_rows();
  for (const KeyRow& row : *rows) {
    if (row.key.purpose != kPurpose) continue;
    loss.next = {kPurpose, std::max(loss.next.version, row.key.version)};
    if (row.state == KeyState::kActive) loss.lost = row.key;
  }
  ++loss.next.version;
  if (!vault.lost_log_keys()->contains(loss.lost)) {
    if (!log_key(vault, loss.lost)) {
      return KeyRefusal{Code::kNotAllowed,
                        "what " + core::key_label(loss.lost) +
                            " signs waits, and the vault has not found that it is lost: have every "
                            "HSM in [hsm] answer, restart the vault, and see `cardvault doctor`"};
    }
    return KeyRefusal{Code::kNotAllowed, core::key_label(loss.lost) +
                                             " is on the token and vouches for the next one "
                                             "itself: `cardvault key rotate audit-sign`"};
  }
  if (auto found = find_last(vault, loss); !found) return std::unexpected(found.error());
  if (loss.note.empty()) {
    return KeyRefusal{Code::kNotFound,
                      "no checkpoint by a key of this log is left, in " + vault.config().audit.dir +
                          " or in vault.db: put the published log back, or restore a backup"};
  }
  const auto key = log_key(vault, loss.next);
  const auto made = made_key(vault);
  if (!made) return std::unexpected(made.error());
  // Another one is anybody's: the command makes it anew.
  if (!key || key->text() != *made) return std::nullopt;
  loss.next_key = key->text();
  // Readers follow a log by its name, and what is recorded once can't be said again.
  const auto lost_key = audit::VerifierKey::parse(loss.lost_key);
  if (!lost_key || lost_key->name() == key->name()) return std::nullopt;
  return KeyRefusal{Code::kNotAllowed, "this log is called " + lost_key->name() +
                                           ", and this token would call it " + key->name() +
                                           ": set [audit] origin = \"" + lost_key->name() +
                                           "\", restart the vault, and run the command again"};
}

// All that are given are recorded for readers, who take no more than a quorum can have.
std::optional<KeyRefusal> refuse_too_many(const wire::AdminRequest& request) {
  const auto given = std::ranges::count(request.arguments, kApprovalArgument,
                                        &std::pair<std::string, std::string>::first);
  if (given <= static_cast<std::ptrdiff_t>(custody::kMaxParts)) return std::nullopt;
  return KeyRefusal{Code::kInvalidArgument,
                    "more approvals than custodians: give each custodian's once"};
}

std::optional<KeyRefusal> refuse_without_custodians(
    const std::optional<custody::CustodianSet>& set) {
  if (set) return std::nullopt;
  return KeyRefusal{
      Code::kNotAllowed,
      "this vault has no custodians whose word could stand for the lost key's: put back a "
      "copy of the token that has it (docs/keys.md, \"When audit-sign is lost\")"};
}

// What custodians approve, word for word.
ActArguments arguments_of(const Loss& loss) {
  return {{"checkpoint", std::to_string(loss.last.size) + " " + core::to_hex(loss.last.root)},
          {"key", core::key_label(loss.next)},
          {"lost", core::key_label(loss.lost)},
          {"lost_vkey", loss.lost_key},
          {"vkey", loss.next_key}};
}

void describe(const Loss& loss, const wire::AdminRequest& request, core::Event& done) {
  for (const auto& one : arguments_of(loss)) {
    if (one.first != "checkpoint" && one.first != "key") done.details.push_back(one);
  }
  done.details.emplace_back("checkpoint", loss.note);
  unsigned number = 0;
  for (const auto& [name, value] : request.arguments) {
    if (name == kActionArgument) done.details.emplace_back("quorum_action", value);
    if (name == kApprovalArgument) {
      done.details.emplace_back("quorum_approval" + std::to_string(++number), value);
    }
  }
}

base::Result<void> put_rows(core::Transaction& tx, const std::vector<KeyRow>& rows,
                            const std::set<KeyRef>& lost, const KeyRow& next) {
  for (KeyRow row : rows) {
    if (!lost.contains(row.key)) continue;
    row.state = KeyState::kDestroyed;
    if (auto put = tx.put_key(row); !put) return put;
  }
  return tx.put_key(next);
}

}  // namespace

// What the tool has to know, and then says in key.replace.
wire::AdminAnswer AdminService::key_lost(const Call& call) {
  const std::scoped_lock lock(keys_mutex_);
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  Loss loss;
  auto refused = find_loss(vault_, loss);
  if (!refused) return failed(refused.error());
  if (!*refused) {
    const auto reader = vault_.store().make_reader();
    if (!reader) return failed(reader.error());
    const auto set = registered_custodians(**reader);
    if (!set) return failed(set.error());
    refused = refuse_without_custodians(*set);
  }
  if (*refused) return refusal((*refused)->code, (*refused)->text);
  wire::AdminAnswer answer;
  answer.columns = {"name", "value"};
  for (const auto& [name, value] : arguments_of(loss)) answer.rows.push_back({name, value});
  return answer;
}

wire::AdminAnswer AdminService::key_replace(const Call& call) {
  const std::scoped_lock lock(keys_mutex_);
  Loss loss;
  const auto impossible = find_loss(vault_, loss);
  if (!impossible) return failed(impossible.error());
  const auto lost = vault_.lost_log_keys();
  core::Event done = event(call);
  done.resource = core::key_label(loss.next);
  const auto decide = [&](core::Transaction& tx, const std::vector<KeyRow>& rows,
                          core::Event& what) -> base::Result<std::optional<KeyRefusal>> {
    if (*impossible) return *impossible;
    if (auto refused = refuse_too_many(call.request)) return refused;
    const auto set = registered_custodians(tx);
    if (!set) return std::unexpected(set.error());
    if (auto refused = refuse_without_custodians(*set)) return refused;
    for (const auto& [name, value] : arguments_of(loss)) {
      if (value.empty() || call.argument(name) == value) continue;
      return KeyRefusal{Code::kConflict, "of this vault " + name + " is \"" + value + "\", not \"" +
                                             call.argument(name) +
                                             "\": run the command without --approvals"};
    }
    if (loss.next_key.empty()) {
      return KeyRefusal{Code::kKeyMissing,
                        "the token has no " + core::key_label(loss.next) +
                            " that this command made: run it without --approvals"};
    }
    const auto allowed = demand_quorum(call, tx, what);
    if (!allowed || *allowed) return allowed;
    const std::string kcv = vault_.token().kcv(loss.next);
    what.details.emplace_back("kcv", kcv);
    describe(loss, call.request, what);
    auto put = put_rows(tx, rows, *lost, {loss.next, KeyState::kActive, kcv, what.time_ms, 0});
    if (!put) return std::unexpected(put.error());
    return std::nullopt;
  };
  wire::AdminAnswer answer = change_keys(
      std::move(done),
      core::key_label(loss.next) +
          " is active now, and the log goes on: keep its verification key beside audit.vkey. "
          "Whoever "
          "checks the log with the first one needs the custodians' register too (--custodians)",
      decide, [&] { vault_.log_key_replaced(); });
  if (!answer.ok) return answer;
  answer.columns = {"vkey"};
  answer.rows = {{loss.next_key}};
  return answer;
}

}  // namespace cardvault::daemon
