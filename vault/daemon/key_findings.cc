#include "vault/daemon/key_findings.h"

#include "vault/base/log.h"
#include "vault/daemon/key_states.h"
#include "vault/daemon/stored_state.h"

namespace cardvault::daemon {
namespace {

using Findings = std::vector<std::vector<std::string>>;

std::string command(const char* act, const std::string& what) {
  return std::string("`cardvault key ") + act + " " + what + "`";
}

void examine_period(const core::KeyRow& row, const KeyConfig& config, std::int64_t now_ms,
                    Findings& findings) {
  const auto end = period_end_ms(row, config);
  if (!end || *end - now_ms > kPeriodWarning_ms) return;
  const bool over = *end <= now_ms;
  findings.push_back({over ? "error" : "warning",
                      core::key_label(row.key) + ": its cryptoperiod " + (over ? "ended" : "ends") +
                          " on " + base::format_time(*end),
                      command("rotate", std::string(core::key_purpose_name(row.key.purpose)))});
}

void examine_end(const core::KeyRow& row, std::int64_t due_ms, std::int64_t now_ms,
                 Findings& findings) {
  const std::string label = core::key_label(row.key);
  const std::string purpose(core::key_purpose_name(row.key.purpose));
  if (row.state == core::KeyState::kDecryptOnly) {
    findings.push_back({"note", label + " is still used for what stands under it",
                        core::is_rewrapped(row.key.purpose)
                            ? command("rewrap", purpose) + ", then " + command("retire", label)
                            : command("retire", label)});
  } else if (due_ms != 0 && (row.state == core::KeyState::kDestroyed || due_ms <= now_ms)) {
    findings.push_back({"warning", label + " is due to be destroyed, and is still on the token",
                        command("destroy", label)});
  } else if (due_ms != 0) {
    findings.push_back({"note", label + " will be destroyed on " + base::format_time(due_ms),
                        command("keep", label) + " calls it off"});
  }
}

void examine_token(Vault& vault, std::size_t at, const std::vector<core::KeyRow>& rows,
                   Findings& findings) {
  const hsm::TokenCrypto& token = vault.token().token(at);
  const bool alone = vault.token().size() == 1;
  for (const core::KeyRef& key : token.keys()) {
    const std::string label = core::key_label(key);
    const core::KeyRow* row = find_key(rows, key);
    if (row == nullptr) {
      findings.push_back({"warning",
                          (alone ? "the token" : vault.token_name(at)) + " has " + label +
                              ", which no record knows",
                          "finish the rotation that made it: " +
                              command("rotate", std::string(core::key_purpose_name(key.purpose)))});
      continue;
    }
    const std::string kcv = token.kcv(key);
    if (!kcv.empty() && !row->kcv.empty() && kcv != row->kcv) {
      findings.push_back(
          {"error", label + " has the check value " + kcv + ", not " + row->kcv,
           "the token was changed or restored wrongly: give the vault its own back"});
    }
  }
}

}  // namespace

Findings examine_keys(Vault& vault, const Rewrapper::Status& rewrap) {
  Findings findings;
  const std::int64_t now = vault.clock().now_ms();
  const auto rows = vault.key_rows();
  auto reader = vault.store().make_reader();
  for (const core::KeyRow& row : *rows) {
    examine_period(row, vault.config().keys, now, findings);
    const auto due = reader ? (*reader)->value(destruction_value(row.key))
                            : base::Result<std::optional<std::vector<std::uint8_t>>>();
    const bool waits = due && *due && !(*due)->empty();
    examine_end(row, waits ? static_cast<std::int64_t>(read_u64(**due)) : 0, now, findings);
  }
  for (std::size_t i = 0; i < vault.token().size(); ++i) {
    examine_token(vault, i, *rows, findings);
  }
  if (rewrap.running) {
    findings.push_back({rewrap.waits_for.empty() ? "note" : "warning",
                        "rows are being moved to another " +
                            std::string(core::key_purpose_name(rewrap.purpose)) + ": " +
                            std::to_string(rewrap.done) + " of " + std::to_string(rewrap.total) +
                            (rewrap.waits_for.empty() ? "" : ", waits for " + rewrap.waits_for),
                        rewrap.waits_for.empty() ? "" : "it goes on by itself"});
  }
  return findings;
}

}  // namespace cardvault::daemon
