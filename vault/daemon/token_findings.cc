#include "vault/daemon/token_findings.h"

#include <algorithm>

#include "hsm/error.h"

namespace cardvault::daemon {
namespace {

using Finding = std::vector<std::string>;

constexpr const char* kClone =
    "bring it the vault's keys: `cardvault key clone`, or the vendor's own means (docs/keys.md, "
    "\"Two HSMs\"); it is taken up by itself";
constexpr const char* kOwnToken =
    "give the vault its own token back; where that is not to be had, restart the vault, which then "
    "says what can be done";

Finding silent(const hsm::TokenCrypto& token, const std::string& name, const char* severity,
               const char* misfit_advice) {
  const base::Error cause = token.cause();
  const auto rv = static_cast<unsigned long>(cause.number);
  if (cause.number != 0) {
    return {severity, name + " does not answer: " + hsm::ckr_name(rv) + " in " + cause.operation,
            hsm::ckr_explanation(rv)};
  }
  if (const auto key = token.misfit()) {
    return {severity, name + " does not serve: " + cause.operation + ": " + core::key_label(*key),
            misfit_advice};
  }
  return {severity, name + " does not serve: " + cause.operation,
          "look at the device and its network; it is taken up by itself when it answers"};
}

// What only the others can sign with, as far as it is needed.
std::string missing_signing_keys(const Vault& vault, const hsm::TokenCrypto& token) {
  const auto present = token.keys();
  std::string missing;
  for (const auto rows = vault.key_rows(); const core::KeyRow& row : *rows) {
    if (row.state != core::KeyState::kActive || !core::is_signature(row.key.purpose)) continue;
    if (std::ranges::find(present, row.key) != present.end()) continue;
    missing += (missing.empty() ? "" : ", ") + core::key_label(row.key);
  }
  return missing;
}

}  // namespace

std::vector<Finding> examine_tokens(Vault& vault) {
  const hsm::TokenGroup& tokens = vault.token();
  const bool answers = tokens.state() == hsm::HsmState::kReady;
  if (tokens.size() == 1) {
    if (!answers) return {silent(tokens.token(0), "the HSM", "error", kOwnToken)};
    return {{"ok", "the HSM answers", ""}};
  }
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const hsm::TokenCrypto& token = tokens.token(i);
    const std::string name = vault.token_name(i);
    if (token.state() != hsm::HsmState::kReady) {
      findings.push_back(silent(token, name, answers ? "warning" : "error", kClone));
      continue;
    }
    findings.push_back({"ok", name + " serves", ""});
    const std::string missing = missing_signing_keys(vault, token);
    if (missing.empty()) continue;
    findings.push_back({"warning",
                        name + " lacks " + missing +
                            ": while the others are away, what these sign "
                            "has to wait",
                        "clone them by the HSM vendor's own means, where there are any"});
  }
  return findings;
}

}  // namespace cardvault::daemon
