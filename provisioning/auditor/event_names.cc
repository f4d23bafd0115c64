#include "provisioning/auditor/event_names.h"

#include <algorithm>
#include <array>
#include <vector>

#include "vault/base/result.h"

namespace cardvault::auditor {
namespace {

constexpr std::string_view kCeremony = "ceremony.";

// audit_find_test holds these to what the sources write.
constexpr auto kOperations = std::to_array<std::string_view>({"admin.connect",
                                                              "alarm",
                                                              "approval.request",
                                                              "audit.evidence",
                                                              "audit.find",
                                                              "audit.fingerprint",
                                                              "audit.read",
                                                              "audit.report",
                                                              "audit.tail",
                                                              "backup",
                                                              "backup.leave",
                                                              "backup.seal",
                                                              "backup.snapshot",
                                                              "bin.import",
                                                              "bin.lookup",
                                                              "canary.list",
                                                              "canary.plant",
                                                              "cards.search",
                                                              "client.add",
                                                              "client.ca",
                                                              "client.certificates",
                                                              "client.change",
                                                              "client.enroll",
                                                              "client.freeze",
                                                              "client.list",
                                                              "client.release",
                                                              "client.revoke",
                                                              "clock.confirm",
                                                              "clock.trusted",
                                                              "custodians.draft",
                                                              "custodians.list",
                                                              "custodians.register",
                                                              "customer.freeze",
                                                              "customer.unfreeze",
                                                              "detokenize",
                                                              "disk.freed",
                                                              "doctor",
                                                              "gate.approve",
                                                              "health",
                                                              "hsm.recovered",
                                                              "hsm.serves",
                                                              "http",
                                                              "jwks",
                                                              "key.activate",
                                                              "key.adopt",
                                                              "key.clone",
                                                              "key.cloned",
                                                              "key.destroy",
                                                              "key.destroyed",
                                                              "key.keep",
                                                              "key.list",
                                                              "key.lost",
                                                              "key.make",
                                                              "key.replace",
                                                              "key.restore",
                                                              "key.retire",
                                                              "key.rewrap",
                                                              "key.rewrap.resume",
                                                              "key.rewrapped",
                                                              "key.rotate",
                                                              "key.statement",
                                                              "log.consistent",
                                                              "log.continues",
                                                              "log.month",
                                                              "log.published",
                                                              "mask",
                                                              "metrics",
                                                              "otp.cancel",
                                                              "otp.seal",
                                                              "otp.status",
                                                              "otp.unlock",
                                                              "otp.verify",
                                                              "ready",
                                                              "reboot",
                                                              "recipient.add",
                                                              "recipient.list",
                                                              "recipient.remove",
                                                              "recipient.replace",
                                                              "refused",
                                                              "reload",
                                                              "seal",
                                                              "sealed",
                                                              "secret.change",
                                                              "secret.enroll",
                                                              "secret.remove",
                                                              "secret.verify",
                                                              "siem.recovered",
                                                              "start",
                                                              "status",
                                                              "stop",
                                                              "store.recovered",
                                                              "token.delete",
                                                              "token.expire",
                                                              "token.freeze",
                                                              "token.get",
                                                              "token.inspect",
                                                              "token.unfreeze",
                                                              "tokenize",
                                                              "unseal",
                                                              "unseal.share",
                                                              "unseal.status",
                                                              "whoami"});

// Beside the codes of refusals.
constexpr auto kAlarms =
    std::to_array<std::string_view>({"canary_revealed",      "client_list_unpublished",
                                     "cryptoperiod_over",    "disk_low",
                                     "disk_low_no_reveals",  "disk_low_no_writes",
                                     "events_lost",          "hsm_stuck",
                                     "hsm_token_lost",       "hsm_token_pin_refused",
                                     "key_nearly_exhausted", "log_behind",
                                     "log_inconsistent",     "log_key_lost",
                                     "log_unpublished",      "otp_failures_100",
                                     "otp_failures_80",      "reveal_budget_100",
                                     "reveal_budget_80",     "siem_lost",
                                     "siem_unavailable"});
constexpr auto kOfStrangers = std::to_array<std::string_view>(
    {"connection_limit", "malformed_frame", "source_limit", "timeout_handshake", "tls_expired",
     "tls_handshake", "tls_no_certificate", "tls_revoked", "tls_untrusted", "tls_version",
     "unnamed", "wrong_user"});

const std::vector<std::string_view>& all_outcomes() {
  static const std::vector<std::string_view> all = [] {
    std::vector<std::string_view> names = {"ok", "refused"};
    for (int code = 0; code <= static_cast<int>(base::kLastCode); ++code) {
      names.push_back(base::code_name(static_cast<base::Code>(code)));
    }
    names.insert(names.end(), kAlarms.begin(), kAlarms.end());
    names.insert(names.end(), kOfStrangers.begin(), kOfStrangers.end());
    std::ranges::sort(names);
    return names;
  }();
  return all;
}

std::string list(const auto& names) {
  std::string text;
  for (const std::string_view name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

}  // namespace

bool is_operation(std::string_view name) {
  if (name.starts_with(kCeremony)) return true;
  if (!name.ends_with(".*")) return std::ranges::find(kOperations, name) != kOperations.end();
  name.remove_suffix(1);
  return std::ranges::any_of(kOperations,
                             [&](std::string_view one) { return one.starts_with(name); });
}

bool is_outcome(std::string_view name) {
  return std::ranges::find(all_outcomes(), name) != all_outcomes().end();
}

std::string operations() { return list(kOperations) + ", ceremony.*"; }
std::string outcomes() { return list(all_outcomes()); }

}  // namespace cardvault::auditor
