// Verbs about the vault's keys: what they are, new versions, and the token that has them.
#include <algorithm>
#include <array>

#include "vault/base/log.h"
#include "vault/daemon/admin.h"
#include "vault/daemon/admin_answers.h"
#include "vault/daemon/key_statement.h"
#include "vault/daemon/key_states.h"
#include "vault/daemon/publisher.h"
#include "vault/daemon/stored_state.h"
#include "vault/daemon/vault_note.h"

namespace cardvault::daemon {

using base::Code;
using core::KeyRef;
using core::KeyRow;
using core::KeyState;

namespace {

constexpr std::string_view kPurposes =
    "pan-enc, pan-index, id-index, id-enc, otp-mac, secret-enc, seal-sign, audit-sign or client-ca";

bool counts_invocations(core::KeyPurpose purpose) {
  return purpose == core::KeyPurpose::kPanEnc || purpose == core::KeyPurpose::kIdEnc ||
         purpose == core::KeyPurpose::kSecretEnc;
}

std::vector<std::uint8_t> number_value(std::uint64_t value) {
  std::vector<std::uint8_t> out;
  append_u64(out, value);
  return out;
}

}  // namespace

wire::AdminAnswer AdminService::change_keys(core::Event done, const std::string& told,
                                            const KeyDecide& decide,
                                            const std::function<void()>& before_use) {
  std::vector<KeyRow> rows;
  std::optional<KeyRefusal> refused;
  const auto committed = vault_.commit(
      [&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
        auto found = tx.keys();
        if (!found) return std::unexpected(found.error());
        auto decided = decide(tx, *found, done);
        if (!decided) return std::unexpected(decided.error());
        refused = std::move(*decided);
        if (refused) done.outcome = base::code_name(refused->code);
        events.add(done);
        found = tx.keys();
        if (!found) return std::unexpected(found.error());
        rows = std::move(*found);
        return {};
      },
      [&] {
        if (!refused && before_use) before_use();
        vault_.set_key_rows(std::move(rows));
      });
  if (!committed) return failed(committed.error());
  return refused ? refusal(refused->code, refused->text) : success(told);
}

wire::AdminAnswer AdminService::key_list(const Call& call) {
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  auto reader = vault_.store().make_reader();
  if (!reader) return failed(reader.error());
  const auto keys = (*reader)->keys();
  if (!keys) return failed(keys.error());
  wire::AdminAnswer answer;
  answer.columns = {
      "key", "state", "kcv", "created", "period ends", "to be destroyed", "invocations reserved"};
  for (const KeyRow& row : *keys) {
    const auto end = period_end_ms(row, vault_.config().keys);
    const auto due = (*reader)->value(destruction_value(row.key));
    if (!due) return failed(due.error());
    const bool waits = *due && !(*due)->empty();
    answer.rows.push_back(
        {core::key_label(row.key), std::string(key_state_name(row.state)), row.kcv,
         base::format_time(row.created_ms), end ? base::format_time(*end) : "",
         waits ? base::format_time(static_cast<std::int64_t>(read_u64(**due))) : "",
         std::to_string(row.invocations_reserved)});
  }
  return answer;
}

// The tool asks before it makes anything: which version is next, and whether it may.
wire::AdminAnswer AdminService::key_rotate(const Call& call) {
  const auto purpose = parse_purpose(call.argument("purpose"));
  if (!purpose) {
    return refusal(Code::kInvalidArgument, "which key? " + std::string(kPurposes));
  }
  if (*purpose == core::KeyPurpose::kAuditSign && !vault_.log_key_loss().empty()) {
    return refusal(Code::kKeyMissing, vault_.log_key_loss());
  }
  const std::scoped_lock lock(keys_mutex_);
  KeyRef key{*purpose, 0};
  wire::AdminAnswer answer = change_keys(
      event(call), "",
      [&](core::Transaction& tx, const std::vector<KeyRow>& rows,
          core::Event& done) -> base::Result<std::optional<KeyRefusal>> {
        auto begun = tx.value(rotation_value(*purpose));
        if (!begun) return std::unexpected(begun.error());
        for (const KeyRow& row : rows) {
          if (row.key.purpose == *purpose) key.version = std::max(key.version, row.key.version);
        }
        ++key.version;
        done.resource = core::key_label(key);
        // The tool makes it on the first; nothing may be written under a key that only one HSM has
        // before somebody has said so.
        if (vault_.token().size() > 1 && call.argument("first_hsm_only") != "true") {
          return KeyRefusal{Code::kConflict,
                            "this vault has " + std::to_string(vault_.token().size()) +
                                " HSMs, and " + done.resource +
                                " would be on the first alone: with --first-hsm-only the others "
                                "don't serve until they have it too (docs/keys.md, \"Two HSMs\")"};
        }
        // One that was begun and not finished is gone on with under the word it was begun with.
        if (*begun && !(*begun)->empty() && read_u64(**begun) == key.version) return std::nullopt;
        const auto earlier = versions_in(rows, *purpose, KeyState::kDecryptOnly);
        if (earlier.size() >= core::KeyVersions::kMaxEarlier) {
          return KeyRefusal{Code::kConflict,
                            std::to_string(earlier.size()) +
                                " earlier versions are still in use: `cardvault key rewrap " +
                                call.argument("purpose") + "`, then `cardvault key retire` them"};
        }
        const auto allowed = demand_quorum(call, tx, done);
        if (!allowed || *allowed) return allowed;
        auto put = tx.put_value(rotation_value(*purpose), number_value(key.version));
        if (!put) return std::unexpected(put.error());
        return std::nullopt;
      });
  if (!answer.ok) return answer;
  answer.columns = {"key"};
  answer.rows = {{core::key_label(key)}};
  return answer;
}

// After the token was exchanged or changed under the vault. The tool keeps the old one until this
// says that every key the vault needs is there, and is the one it was.
wire::AdminAnswer AdminService::key_adopt(const Call& call) {
  const std::scoped_lock lock(keys_mutex_);
  core::Event done = event(call);
  const auto adopted = vault_.token().adopt();
  std::string wrong;
  const auto present = vault_.token().keys();
  for (const auto rows = vault_.key_rows(); const KeyRow& row : *rows) {
    if (row.state == KeyState::kDestroyed || !adopted) continue;
    if (vault_.lost_log_keys()->contains(row.key)) continue;
    const std::string label = core::key_label(row.key);
    const std::string kcv = vault_.token().kcv(row.key);
    // One of several HSMs may lack it, and another has it.
    if (core::is_signature(row.key.purpose) && kcv.empty() && vault_.token().public_key(row.key)) {
      continue;
    }
    if (std::ranges::find(present, row.key) == present.end()) {
      wrong += (wrong.empty() ? "" : ", ") + label + " is not on it";
    } else if (!kcv.empty() && !row.kcv.empty() && kcv != row.kcv) {
      wrong += (wrong.empty() ? "" : ", ") + label + " is another key";
    }
  }
  std::string made;  // in the place of a lost key of the log
  const auto new_key = parse_key(call.argument("made"));
  if (adopted && new_key && new_key->purpose == core::KeyPurpose::kAuditSign) {
    const std::string kcv = vault_.token().kcv(*new_key);
    const auto verifier = log_key(vault_, *new_key);
    if (!verifier || (!kcv.empty() && kcv != call.argument("kcv"))) {
      wrong +=
          (wrong.empty() ? "" : ", ") + core::key_label(*new_key) + " is not the key that was made";
    } else {
      made = verifier->text();
      done.resource = core::key_label(*new_key);
      done.details = {{"kcv", kcv}, {"vkey", made}};
    }
  }
  if (!adopted) done.outcome = base::code_name(adopted.error().code);
  if (!wrong.empty()) done.outcome = base::code_name(Code::kKeyMissing);
  const auto recorded =
      vault_.commit([&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
        events.add(done);
        const bool remember = !made.empty() && wrong.empty();
        return remember ? tx.put_value(kMadeLogKeyValue, base::as_bytes(made))
                        : base::Result<void>();
      });
  if (!recorded) return failed(recorded.error());
  if (!adopted) return failed(adopted.error());
  if (!wrong.empty()) return refusal(Code::kKeyMissing, "this token is not the vault's: " + wrong);
  wire::AdminAnswer answer = success("the vault works with the token as it is now");
  answer.columns = {"key", "kcv"};
  for (const KeyRef& key : present) {
    answer.rows.push_back({core::key_label(key), vault_.token().kcv(key)});
  }
  return answer;
}

wire::AdminAnswer AdminService::key_activate(const Call& call) {
  const std::string label = call.argument("label");
  const auto key = parse_key(label);
  if (!key) return refusal(Code::kInvalidArgument, "which key? as in pan-enc/2");
  const std::scoped_lock lock(keys_mutex_);
  const std::string kcv = call.argument("kcv");
  const auto present = vault_.token().keys();
  const std::string found_kcv = vault_.token().kcv(*key);
  core::Event done = event(call);
  done.resource = label;
  done.details = {
      {"kcv", kcv}, {"kcv_kind", call.argument("kcv_kind")}, {"kind", call.argument("kind")}};
  // Whoever reads the log learns of its next key from the one before.
  std::string successor;
  const auto rows_now = vault_.key_rows();
  if (key->purpose == core::KeyPurpose::kAuditSign && find_key(*rows_now, *key) == nullptr) {
    auto note = successor_statement(vault_, *key);
    if (!note) return failed(note.error());
    successor = std::move(*note);
    done.details.emplace_back("statement", successor);
  }
  const auto decide = [&](core::Transaction& tx, const std::vector<KeyRow>& rows,
                          core::Event& what) -> base::Result<std::optional<KeyRefusal>> {
    const KeyRow* known = find_key(rows, *key);
    if (known != nullptr && known->state == KeyState::kActive && known->kcv == kcv) {
      what.details.emplace_back("repeated", "true");
      return std::nullopt;
    }
    auto begun = tx.value(rotation_value(key->purpose));
    if (!begun) return std::unexpected(begun.error());
    if (known != nullptr || !*begun || read_u64(**begun) != key->version) {
      return KeyRefusal{Code::kNotAllowed,
                        "no rotation to " + label + " was begun: `cardvault key rotate " +
                            std::string(core::key_purpose_name(key->purpose)) + "`"};
    }
    if (std::ranges::find(present, *key) == present.end()) {
      return KeyRefusal{Code::kKeyMissing, "the token has no key " + label};
    }
    if (!found_kcv.empty() && !kcv.empty() && found_kcv != kcv) {
      return KeyRefusal{Code::kKeyMissing, "the token's " + label + " has the check value " +
                                               found_kcv + ", not " + kcv};
    }
    for (KeyRow row : rows) {
      if (row.key.purpose != key->purpose || row.state != KeyState::kActive) continue;
      row.state = KeyState::kDecryptOnly;
      what.details.emplace_back("previous", core::key_label(row.key));
      if (auto put = tx.put_key(row); !put) return std::unexpected(put.error());
    }
    KeyRow row{*key, KeyState::kActive, kcv, what.time_ms,
               counts_invocations(key->purpose) ? core::kInvocationBlock : 0};
    if (auto put = tx.put_key(row); !put) return std::unexpected(put.error());
    if (auto put = tx.put_value(rotation_value(key->purpose), {}); !put) {
      return std::unexpected(put.error());
    }
    if (successor.empty()) return std::nullopt;
    auto put = tx.put_value(statement_value(*key), base::as_bytes(successor));
    if (!put) return std::unexpected(put.error());
    return std::nullopt;
  };
  // Its first block of encryptions is durable with it: no request waits for one.
  wire::AdminAnswer answer = change_keys(std::move(done), label + " is active now", decide, [&] {
    if (counts_invocations(key->purpose)) {
      vault_.services().invocations.reserved(*key, core::kInvocationBlock);
    }
  });
  if (!answer.ok || successor.empty()) return answer;
  answer.columns = {"statement"};
  answer.rows = {{successor}};
  return answer;
}

wire::AdminAnswer AdminService::key_statement(const Call& call) {
  const auto key = parse_key(call.argument("label"));
  if (!key) return refusal(Code::kInvalidArgument, "which key? as in pan-enc/1");
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  auto reader = vault_.store().make_reader();
  if (!reader) return failed(reader.error());
  const auto note = (*reader)->value(statement_value(*key));
  if (!note) return failed(note.error());
  if (!*note || (*note)->empty()) {
    return refusal(Code::kNotFound, "the vault has signed nothing about " + core::key_label(*key));
  }
  wire::AdminAnswer answer;
  answer.columns = {"statement"};
  answer.rows = {{std::string(base::as_text(**note))}};
  return answer;
}

}  // namespace cardvault::daemon
