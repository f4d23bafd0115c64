// The plan in words: plan_steps() and show_plan() of plan.h.
#include <algorithm>

#include "provisioning/custody/plan.h"
#include "vault/core/crypto.h"

namespace cardvault::custody {
namespace {

std::string list(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ", ") + item;
  return out;
}

std::string shares_of(const Plan& plan, std::size_t custodian) {
  std::vector<std::string> out;
  for (const auto& [secret, k] : plan.thresholds) {
    const auto holders = plan.holders(secret);
    const auto found = std::ranges::find(holders, custodian);
    if (found == holders.end()) continue;
    out.push_back(std::string(secret_name(secret)) + " " +
                  std::to_string(found - holders.begin() + 1) + "/" +
                  std::to_string(holders.size()));
  }
  return list(out);
}

std::string delivery_of(const PlanCustodian& one, bool read_back) {
  if (one.delivery == Delivery::kMedium) {
    return "onto the medium at " + one.medium + ", under the custodian's key";
  }
  return read_back ? "on the screen, written down and typed back" : "on the screen, written down";
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

}  // namespace

std::vector<std::string> plan_steps(const Plan& plan) {
  std::vector<std::string> out;
  for (const PlanCustodian& one : plan.custodians) {
    out.push_back(one.custodian.name +
                  " compares the plan's digest, confirms with Yes, and signs it");
  }
  std::vector<std::string> secrets;
  for (const auto& [secret, k] : plan.thresholds) {
    secrets.push_back(std::string(secret_name(secret)) + " (any " + std::to_string(k) + " of " +
                      std::to_string(plan.holders(secret).size()) + ")");
  }
  out.push_back("random secrets are made and split: " + list(secrets));
  for (std::size_t i = 0; i < plan.custodians.size(); ++i) {
    out.push_back(plan.custodians[i].custodian.name + " receives " + shares_of(plan, i) + ", " +
                  delivery_of(plan.custodians[i], plan.read_back));
  }
  out.push_back("the token \"" + plan.label +
                "\" is initialised; no token may have that label yet");
  out.emplace_back(plan.custodians_unseal
                       ? "the user PIN is written nowhere: custodians unseal the vault"
                       : "the user PIN is also put into the vault's pin file");
  for (const core::KeyPurpose purpose : core::kAllKeyPurposes) {
    out.push_back("the key " + core::key_label({purpose, 1}) +
                  " is made in the token; its attributes are read back, its check value is shown");
  }
  if (plan.has(SecretName::kBackupKey)) {
    out.emplace_back("the keys are wrapped by the backup key into a file; then it is wiped");
  }
  out.emplace_back("the token is tried the way the daemon uses it");
  out.push_back("the custodians are registered: " + std::to_string(plan.approvals_needed) + " of " +
                std::to_string(plan.custodians.size()) + " approve an act");
  out.emplace_back("the token signs the transcript and the custodians' register");
  for (const PlanCustodian& one : plan.custodians) {
    out.push_back(one.custodian.name + " signs both and confirms with Yes");
  }
  out.emplace_back("the vault's files are put in place");
  return out;
}

std::string show_plan(const Plan& plan) {
  std::string out = plan.title + "\n\nSHA-256 of the plan, to be compared by reading it aloud:\n" +
                    for_comparison(plan.digest, "  ") + "\n";
  out += "Token       \"" + plan.label + "\" by " + plan.module + "\n";
  for (const auto& [secret, k] : plan.thresholds) {
    out += padded(std::string(secret_name(secret)), 12) + "any " + std::to_string(k) + " of " +
           std::to_string(plan.holders(secret).size()) + " shares rebuild it\n";
  }
  if (!plan.has(SecretName::kBackupKey)) {
    out += "backup-key  none: THE KEYS ARE LOST WITH THE TOKEN\n";
  }
  out += "\nCustodians\n";
  for (const PlanCustodian& one : plan.custodians) {
    out += "  " + padded(one.custodian.name, 12) + public_key_text(one.custodian.key) + "\n";
  }
  out += "\nSteps\n";
  unsigned number = 0;
  for (const std::string& step : plan_steps(plan)) {
    out += padded("  " + std::to_string(++number) + ".", 6) + step + "\n";
  }
  return out;
}

}  // namespace cardvault::custody
