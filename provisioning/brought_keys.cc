#include "provisioning/brought_keys.h"

#include <algorithm>
#include <utility>

#include "provisioning/exit_code.h"
#include "provisioning/token_failure.h"

namespace cardvault::provisioning {
namespace {

// It is the vault's own when its check value says so; where a module can't compute one, when it is
// at least as the vault makes its keys.
void refuse_another(const hsm::WrappedKey& key, const ReportsByLabel& on_token) {
  const auto found = on_token.find(key.label);
  if (found == on_token.end()) return;
  const hsm::KeyReport& there = found->second;
  const bool known = !there.kcv.empty() && !key.kcv.empty();
  const bool same = there.kcv == key.kcv && there.kcv_kind == key.kcv_kind;
  if (known ? same : there.faults.empty()) return;
  throw ToolError(ExitCode::kRefused, "it has another key under the label " + key.label +
                                          ", of check value " + there.kcv + " and not " + key.kcv +
                                          ": that is never overwritten, and nothing was changed");
}

bool is_well(const hsm::WrappedKey& key, const ReportsByLabel& on_token) {
  const auto found = on_token.find(key.label);
  return found != on_token.end() && found->second.faults.empty();
}

void make_room(hsm::KeyMaker& maker, const std::string& label, ReportsByLabel& on_token) {
  if (on_token.erase(label) == 0) return;
  if (auto gone = maker.destroy_one(label); !gone) {
    give_up(label + " can't be destroyed", gone.error());
  }
}

}  // namespace

BroughtKeys bring_keys(hsm::KeyMaker& maker, std::span<const hsm::WrappedKey> keys,
                       const AskBackupKey& ask, ReportsByLabel& on_token) {
  BroughtKeys out;
  for (const auto& [label, report] : on_token) out.before.push_back(label);
  for (const hsm::WrappedKey& key : keys) refuse_another(key, on_token);
  const auto findings = maker.mechanisms();
  const auto wraps = std::ranges::find(findings, std::string_view("CKM_AES_KEY_WRAP"),
                                       &hsm::MechanismFinding::name);
  if (wraps == findings.end() || !wraps->present) {
    throw ToolError(ExitCode::kRefused,
                    "its module lacks CKM_AES_KEY_WRAP, so wrapped keys can't be brought to it: "
                    "clone by the vendor's own means");
  }
  std::vector<hsm::WrappedKey> lacking;
  for (const hsm::WrappedKey& key : keys) {
    if (!is_well(key, on_token)) lacking.push_back(key);
  }
  if (lacking.empty()) return out;
  base::SecretBuffer backup_key = ask();
  for (const hsm::WrappedKey& key : lacking) make_room(maker, key.label, on_token);
  const auto made = maker.unwrap(lacking, std::move(backup_key));
  if (!made) give_up("the wrapped keys don't come back on it", made.error());
  for (const hsm::KeyReport& report : *made) {
    out.brought.push_back(report.label);
    on_token.emplace(report.label, report);
  }
  return out;
}

}  // namespace cardvault::provisioning
