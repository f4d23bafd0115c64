// Verbs about the end of a key: moving rows off it, retiring it, destroying it.
#include <algorithm>

#include "vault/base/log.h"
#include "vault/daemon/admin.h"
#include "vault/daemon/admin_answers.h"
#include "vault/daemon/key_statement.h"
#include "vault/daemon/key_states.h"
#include "vault/daemon/stored_state.h"

namespace cardvault::daemon {

using base::Code;
using core::KeyRef;
using core::KeyRow;
using core::KeyState;

namespace {

constexpr auto kProgressPause = std::chrono::milliseconds(200);
constexpr std::int64_t kDayMs = 86'400'000;

std::string purpose_of(KeyRef key) { return std::string(core::key_purpose_name(key.purpose)); }

// Why a key that something needs can't go yet; nothing when nothing needs it.
std::optional<KeyRefusal> still_needed(KeyRef key, const core::KeyUse& use) {
  const std::string label = core::key_label(key);
  if (use.rows != 0) {
    return KeyRefusal{Code::kConflict, std::to_string(use.rows) + " rows stand under " + label +
                                           ": `cardvault key rewrap " + purpose_of(key) +
                                           "` moves them"};
  }
  if (use.passing != 0) {
    return KeyRefusal{Code::kConflict,
                      std::to_string(use.passing) +
                          (key.purpose == core::KeyPurpose::kOtpMac
                               ? " codes were sealed under " + label +
                                     ": they end by themselves, within two hours"
                               : " answers kept under an Idempotency-Key need " + label +
                                     ": they end by themselves, within 24 hours")};
  }
  return std::nullopt;
}

std::optional<KeyRefusal> wrong_state(const KeyRow* row, KeyRef key, KeyState wanted) {
  const std::string label = core::key_label(key);
  if (row == nullptr) return KeyRefusal{Code::kNotFound, "there is no key " + label};
  if (row->state == wanted) return std::nullopt;
  switch (row->state) {
    case KeyState::kActive:
      return KeyRefusal{Code::kConflict, label + " is active: `cardvault key rotate " +
                                             purpose_of(key) + "` puts another in its place"};
    case KeyState::kDecryptOnly: {
      const std::string first = core::is_rewrapped(key.purpose)
                                    ? "`cardvault key rewrap " + purpose_of(key) + "`, then "
                                    : std::string();
      return KeyRefusal{Code::kConflict, label + " is still in use: " + first +
                                             "`cardvault key retire " + label + "`"};
    }
    case KeyState::kRetired:
    case KeyState::kDestroyed:
      break;
  }
  return KeyRefusal{Code::kConflict, label + " is " + std::string(key_state_name(row->state))};
}

// "" when none is.
std::string who_has(Vault& vault, KeyRef key) {
  const hsm::TokenGroup& tokens = vault.token();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto present = tokens.token(i).keys();
    if (std::ranges::find(present, key) == present.end()) continue;
    return tokens.size() == 1 ? "the token" : vault.token_name(i);
  }
  return "";
}

std::string who_is_away(Vault& vault) {
  for (std::size_t i = 0; i < vault.token().size(); ++i) {
    if (vault.token().token(i).state() != hsm::HsmState::kReady) return vault.token_name(i);
  }
  return "";
}

}  // namespace

base::Result<core::KeyUse> AdminService::key_use(KeyRef key) {
  auto reader = vault_.store().make_reader();
  if (!reader) return std::unexpected(reader.error());
  return (*reader)->key_use(key);
}

wire::AdminAnswer AdminService::key_rewrap(const Call& call) {
  const auto purpose = parse_purpose(call.argument("purpose"));
  if (!purpose) return refusal(Code::kInvalidArgument, "which key? as in pan-enc");
  if (!core::is_rewrapped(*purpose)) {
    return refusal(Code::kInvalidArgument,
                   *purpose == core::KeyPurpose::kOtpMac
                       ? "codes end by themselves: no row is ever moved to another otp-mac"
                       : "signatures stay as they are: there is no row to move");
  }
  core::Event begun = event(call);
  begun.resource = call.argument("purpose");
  if (auto ok = rewrapper_.start(*purpose, begun); !ok) {
    if (ok.error().code != Code::kConflict) return failed(ok.error());
    return refusal(Code::kConflict,
                   "rows are being moved to another " +
                       std::string(core::key_purpose_name(rewrapper_.status().purpose)) +
                       ": one key at a time");
  }
  if (call.argument("watch") == "false") {
    return success("rows are being moved; `cardvault key rewrap " + begun.resource +
                   "` shows how far it is");
  }
  Rewrapper::Status status = rewrapper_.status();
  while (status.running) {
    rewrapper_.wait(kProgressPause);
    status = rewrapper_.status();
    wire::AdminAnswer part;
    part.columns = {"done", "total"};
    part.rows = {
        {std::to_string(status.done), std::to_string(std::max(status.done, status.total))}};
    if (!call.emit(std::move(part))) return success("");  // nobody listens; it goes on
  }
  wire::AdminAnswer answer = success(std::to_string(status.done) + " rows moved");
  answer.ok = status.complete;
  if (!status.complete) answer.code = Code::kRecordDamaged;
  for (const std::string& remark : status.remarks) answer.message += "; " + remark;
  answer.columns = {"statement"};
  for (const std::string& note : status.statements) answer.rows.push_back({note});
  return answer;
}

wire::AdminAnswer AdminService::key_retire(const Call& call) {
  const auto key = parse_key(call.argument("label"));
  if (!key) return refusal(Code::kInvalidArgument, "which key? as in pan-enc/1");
  const std::scoped_lock lock(keys_mutex_);
  // A version that is not the active one gets no new rows (Operation::keys_unchanged): what is
  // found now holds until the commit.
  const auto use = key_use(*key);
  if (!use) return failed(use.error());
  const auto statement = zero_rows_statement(vault_, *key);
  if (!statement) return failed(statement.error());
  core::Event done = event(call);
  done.resource = core::key_label(*key);
  return change_keys(std::move(done),
                     core::key_label(*key) + " is retired: no request uses it any more",
                     [&](core::Transaction& tx, const std::vector<KeyRow>& rows,
                         core::Event& what) -> base::Result<std::optional<KeyRefusal>> {
                       const KeyRow* known = find_key(rows, *key);
                       if (auto wrong = wrong_state(known, *key, KeyState::kDecryptOnly))
                         return wrong;
                       if (auto needed = still_needed(*key, *use)) return needed;
                       KeyRow row = *known;
                       row.state = KeyState::kRetired;
                       what.details = {{"rows_left", "0"}, {"statement", *statement}};
                       if (auto put = tx.put_key(row); !put) return std::unexpected(put.error());
                       auto put = tx.put_value(statement_value(*key), base::as_bytes(*statement));
                       if (!put) return std::unexpected(put.error());
                       return std::nullopt;
                     });
}

// When it is due; 0: nothing is scheduled.
base::Result<std::int64_t> AdminService::destruction_due(core::Reader& reader, KeyRef key) {
  auto value = reader.value(destruction_value(key));
  if (!value) return std::unexpected(value.error());
  return *value && !(*value)->empty() ? static_cast<std::int64_t>(read_u64(**value)) : 0;
}

wire::AdminAnswer AdminService::key_destroy(const Call& call) {
  const auto key = parse_key(call.argument("label"));
  if (!key) return refusal(Code::kInvalidArgument, "which key? as in pan-enc/1");
  const std::scoped_lock lock(keys_mutex_);
  if (!vault_.clock().trusted()) {
    return refusal(Code::kClockSuspect,
                   "the clock is in doubt, and a delay is only as good as it: `cardvault clock "
                   "confirm` first");
  }
  const std::int64_t now = vault_.clock().now_ms();
  const std::int64_t after_s = static_cast<std::int64_t>(call.number(
      "after_s", std::uint64_t{vault_.config().keys.destroy_after_days} * (kDayMs / 1000)));
  const auto use = key_use(*key);
  if (!use) return failed(use.error());
  const std::string label = core::key_label(*key);
  std::int64_t due = 0;
  core::Event done = event(call);
  done.resource = label;
  wire::AdminAnswer answer = change_keys(
      std::move(done), "",
      [&](core::Transaction& tx, const std::vector<KeyRow>& rows,
          core::Event& what) -> base::Result<std::optional<KeyRefusal>> {
        const auto scheduled = destruction_due(tx, *key);
        if (!scheduled) return std::unexpected(scheduled.error());
        due = *scheduled;
        const KeyRow* known = find_key(rows, *key);
        const bool begun = due != 0 && known != nullptr && known->state == KeyState::kDestroyed;
        if (begun) return std::nullopt;  // a tool that was killed comes again
        if (auto wrong = wrong_state(known, *key, KeyState::kRetired)) return wrong;
        if (auto needed = still_needed(*key, *use)) return needed;
        if (key->purpose == core::KeyPurpose::kPanIndex &&
            call.argument("give_up_log_search") != "true") {
          return KeyRefusal{Code::kConflict,
                            "the log names cards by fingerprints under " + label +
                                ": without it nobody finds a card in that part of the log. If its "
                                "ten years are over, say --give-up-log-search"};
        }
        if (due == 0) {
          const auto allowed = demand_quorum(call, tx, what);
          if (!allowed || *allowed) return allowed;
          due = now + after_s * 1000;
          std::vector<std::uint8_t> value;
          append_u64(value, static_cast<std::uint64_t>(due));
          auto put = tx.put_value(destruction_value(*key), value);
          if (!put) return std::unexpected(put.error());
        }
        what.details.emplace_back("due", base::format_time(due));
        if (due > now) return std::nullopt;
        KeyRow row = *known;
        row.state = KeyState::kDestroyed;
        what.details.emplace_back("step", "begin");
        if (auto put = tx.put_key(row); !put) return std::unexpected(put.error());
        return std::nullopt;
      });
  if (!answer.ok) return answer;
  if (due > now) {
    return success(label + " will be destroyed on " + base::format_time(due) +
                   ": run this command again then. `cardvault key keep " + label +
                   "` calls it off");
  }
  // Before the key goes, no session has a copy of it any more.
  vault_.token().leave_out(destroyed_keys(*vault_.key_rows()));
  if (auto ok = vault_.token().adopt(); !ok) return failed(ok.error());
  answer.columns = {"key", "state"};
  answer.rows = {{label, "due"}};
  return answer;
}

wire::AdminAnswer AdminService::key_keep(const Call& call) {
  const auto key = parse_key(call.argument("label"));
  if (!key) return refusal(Code::kInvalidArgument, "which key? as in pan-enc/1");
  const std::scoped_lock lock(keys_mutex_);
  const std::string label = core::key_label(*key);
  core::Event done = event(call);
  done.resource = label;
  return change_keys(std::move(done), label + " is kept; it stays retired",
                     [&](core::Transaction& tx, const std::vector<KeyRow>& rows,
                         core::Event&) -> base::Result<std::optional<KeyRefusal>> {
                       if (auto wrong = wrong_state(find_key(rows, *key), *key, KeyState::kRetired))
                         return wrong;
                       const auto due = destruction_due(tx, *key);
                       if (!due) return std::unexpected(due.error());
                       if (*due == 0) {
                         return KeyRefusal{Code::kNotFound,
                                           label + " is not about to be destroyed"};
                       }
                       auto put = tx.put_value(destruction_value(*key), {});
                       if (!put) return std::unexpected(put.error());
                       return std::nullopt;
                     });
}

// The tool says that the token has it no more: looked at, for once, before it is believed.
wire::AdminAnswer AdminService::key_destroyed(const Call& call) {
  const auto key = parse_key(call.argument("label"));
  if (!key) return refusal(Code::kInvalidArgument, "which key? as in pan-enc/1");
  const std::scoped_lock lock(keys_mutex_);
  const std::string label = core::key_label(*key);
  const auto rows = vault_.key_rows();
  if (auto wrong = wrong_state(find_key(*rows, *key), *key, KeyState::kDestroyed)) {
    return refusal(wrong->code, wrong->text);
  }
  auto others = destroyed_keys(*rows);
  others.erase(*key);
  hsm::TokenGroup& tokens = vault_.token();
  tokens.leave_out(others);
  auto adopted = tokens.adopt();
  const std::string keeps = who_has(vault_, *key);
  const std::string unseen = adopted ? who_is_away(vault_) : "";
  tokens.leave_out(destroyed_keys(*rows));
  if (!keeps.empty() && adopted) adopted = tokens.adopt();
  if (!adopted) return failed(adopted.error());
  core::Event done = event(call);
  done.resource = label;
  return change_keys(std::move(done), label + " is destroyed",
                     [&](core::Transaction& tx, const std::vector<KeyRow>&,
                         core::Event&) -> base::Result<std::optional<KeyRefusal>> {
                       if (!keeps.empty())
                         return KeyRefusal{Code::kConflict, keeps + " still has " + label};
                       if (!unseen.empty()) {
                         return KeyRefusal{Code::kHsmUnavailable,
                                           unseen + " is away and may still have " + label +
                                               ": run this again when it is back"};
                       }
                       auto put = tx.put_value(destruction_value(*key), {});
                       if (!put) return std::unexpected(put.error());
                       return std::nullopt;
                     });
}

}  // namespace cardvault::daemon
