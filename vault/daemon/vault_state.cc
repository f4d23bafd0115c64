// What a vault knows when it starts, and what it saves while it runs.
#include <algorithm>
#include <fstream>

#include "vault/audit/event_codec.h"
#include "vault/base/log.h"
#include "vault/core/text_form.h"
#include "vault/daemon/key_states.h"
#include "vault/daemon/stored_state.h"
#include "vault/daemon/vault.h"

namespace cardvault::daemon {

using base::Code;
using base::StartupError;

namespace {
constexpr std::size_t kReplayLines = 4096;
}

std::unique_ptr<core::VaultClock> open_vault_clock(const store::SqliteStore& store,
                                                   std::int64_t max_offline_ms) {
  const auto reader = must(store.make_reader(), "the database can't be read");
  const auto mark = must(reader->value(kClockValue), "the clock's mark can't be read");
  // A kill leaves a mark of up to 10 s ago: what it acknowledged since was later.
  const std::int64_t high_water_ms =
      std::max(mark ? static_cast<std::int64_t>(read_u64(*mark)) : 0, store.last_event_ms());
  return std::make_unique<core::VaultClock>(core::VaultClock::system_sources(), high_water_ms,
                                            max_offline_ms);
}

void Vault::load_images(core::Reader& reader) {
  clients_.load(must(reader.clients(), "the clients can't be read"));
  recipients_.load(must(reader.recipients(), "the recipients can't be read"));
  const auto canaries = must(reader.canaries(), "the canaries can't be read");
  services_.canaries.store(
      std::make_shared<const std::set<core::TokenId>>(canaries.begin(), canaries.end()));
}

// A vault that can't sign its log can still tell so, and be given another key.
void Vault::find_lost_log_keys() {
  const auto rows = key_rows();
  for (std::size_t token = 0; token < crypto_->size(); ++token) {
    if (crypto_->token(token).state() != hsm::HsmState::kReady) return;  // it may have the key
  }
  const auto gone = [&](const core::KeyRow& row) {
    return row.key.purpose == core::KeyPurpose::kAuditSign &&
           row.state != core::KeyState::kDestroyed && !crypto_->public_key(row.key);
  };
  std::set<core::KeyRef> lost;
  bool active = false;
  for (const core::KeyRow& row : *rows) {
    if (!gone(row)) continue;
    lost.insert(row.key);
    active = active || row.state == core::KeyState::kActive;
  }
  if (active) {
    lost_log_keys_.store(std::make_shared<const std::set<core::KeyRef>>(std::move(lost)));
  }
}

std::string Vault::log_key_loss() const {
  std::string keys;
  for (const auto lost = lost_log_keys(); const core::KeyRef& key : *lost) {
    keys += (keys.empty() ? "" : ", ") + core::key_label(key);
  }
  if (keys.empty()) return keys;
  return keys +
         " is not on the token, and nothing can be signed in its place: if a copy of the token has "
         "it, put that back; else `cardvault key replace audit-sign` (docs/keys.md)";
}

void Vault::load_keys(core::Reader& reader) {
  const auto rows = must(reader.keys(), "the key registry can't be read");
  const bool logged_in = crypto_->state() == hsm::HsmState::kReady;
  const auto present = crypto_->keys();
  find_lost_log_keys();
  for (const core::KeyRow& row : rows) {
    if (row.state == core::KeyState::kDestroyed || lost_log_keys()->contains(row.key)) continue;
    invocations_.load(row.key, row.invocations_reserved);
    if (crypto_->size() > 1) continue;  // one with other keys doesn't serve; another may
    // While the token is away nothing can be said about its keys; recovery compares them then.
    if ((logged_in || !present.empty()) && std::ranges::find(present, row.key) == present.end()) {
      throw StartupError("the token has no key " + core::key_label(row.key) +
                         " which the database says it has: this is another token, or the key was "
                         "destroyed. Run `cardvault doctor`");
    }
    const std::string kcv = crypto_->kcv(row.key);
    if (!kcv.empty() && !row.kcv.empty() && kcv != row.kcv) {
      throw StartupError("the token's key " + core::key_label(row.key) + " has the check value " +
                         kcv + ", and the database says " + row.kcv +
                         ": it is another key under the same label, on another token or restored "
                         "wrongly. Nothing was changed; give the vault its own token back");
    }
  }
  set_key_rows(rows);
  for (const core::KeyPurpose purpose : core::kAllKeyPurposes) {
    // A vault made before clients could be enrolled has none until it is first rotated to.
    if (purpose == core::KeyPurpose::kClientCa) continue;
    if (keys_.get(purpose).version == 0) {
      throw StartupError("the vault has no active key " +
                         std::string(core::key_purpose_name(purpose)) +
                         ": make the vault with `cardvault init`");
    }
  }
}

void Vault::set_key_rows(std::vector<core::KeyRow> rows) {
  use_keys(rows, keys_);
  key_rows_.store(std::make_shared<const std::vector<core::KeyRow>>(std::move(rows)));
}

void Vault::load_budgets(core::Reader& reader) {
  std::uint64_t from = 0;
  if (const auto snapshot = must(reader.value(kRevealValue), "the budgets can't be read");
      snapshot && snapshot->size() >= 8) {
    from = read_u64(*snapshot);
    if (!reveals_.restore(std::span(*snapshot).subspan(8))) {
      throw StartupError("the snapshot of the reveal budgets is damaged: restore a backup");
    }
  }
  replay_from_ = from;
  const auto log = must(store_->make_event_reader(), "the log can't be read");
  for (;;) {
    const auto lines = must(log->read(from, kReplayLines), "the log can't be read");
    if (lines.empty()) return;
    for (const store::LogLine& line : lines) {
      from = line.seq + 1;
      // Cheap first: most lines are none of these.
      const bool release = line.json.find("\"op\":\"client.release\"") != std::string::npos;
      if (!release && line.json.find("\"op\":\"detokenize\"") == std::string::npos) continue;
      const auto event = must(audit::parse_event(line.json, nullptr), "the log is damaged");
      if (release) {
        if (event.outcome == "ok") reveals_.reset(event.resource);
        continue;
      }
      const bool allowed = event.outcome == "ok";
      const bool refused = event.outcome == base::code_name(Code::kRevealBudgetExhausted);
      auto token = core::Token::parse(event.resource);
      if ((!allowed && !refused) || !token || !event.actor.starts_with("client:")) continue;
      core::TokenId id = token->id();
      for (const auto& [key, value] : event.details) {
        if (key == "card" && !core::from_hex(value, id.bytes)) continue;
      }
      reveals_.replay(event.actor.substr(7), id, allowed, event.time_ms);
    }
  }
}

// A reboot voids open codes and restarts the locks that held (DESIGN section 8): how long the
// machine was down is only known from a clock that somebody may have set meanwhile.
void Vault::note_boot() {
  std::string boot_id;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot_id);
  const auto bytes = base::as_bytes(boot_id);
  const auto reader = must(store_->make_reader(), "the database can't be read");
  const auto known = must(reader->value(kBootValue), "the boot's id can't be read");
  if (known && !boot_id.empty() && std::ranges::equal(*known, bytes)) return;
  const std::int64_t now = clock_->now_ms();
  const std::int64_t until = now + std::int64_t{config_.settings.attempts.lock_s} * 1000;
  const auto noted =
      commit([&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
        if (known) {
          if (auto ok = tx.delete_all_codes(); !ok) return ok;
          if (auto ok = tx.restart_locks(now, until); !ok) return ok;
          events.add(system_event("reboot"));
        }
        return tx.put_value(kBootValue, bytes);
      });
  if (!noted) {
    throw StartupError("the machine was restarted, and the open codes can't be voided (" +
                       std::string(base::code_name(noted.error().code)) + " " +
                       std::to_string(noted.error().number) +
                       "): check free space and `cardvault doctor`");
  }
}

void Vault::save_state() {
  std::uint64_t counted = 0;
  const auto saved =
      commit([&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
        std::vector<std::uint8_t> mark;
        append_u64(mark, static_cast<std::uint64_t>(clock_->now_ms()));
        if (auto ok = tx.put_value(kClockValue, mark); !ok) return ok;
        // Reveals are charged in apply(), on this thread: the counters hold every event up to here.
        std::vector<std::uint8_t> budgets;
        counted = events.next_seq();
        append_u64(budgets, counted);
        const auto bytes = reveals_.serialize(clock_->now_ms());
        budgets.insert(budgets.end(), bytes.begin(), bytes.end());
        return tx.put_value(kRevealValue, budgets);
      });
  if (saved) replay_from_ = counted;
  if (!saved) base::log(base::Level::kWarning, "the vault's state was not saved", saved.error());
}

}  // namespace cardvault::daemon
