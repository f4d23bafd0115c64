#include "vault/daemon/client_findings.h"

#include <algorithm>
#include <map>

#include "vault/base/log.h"

namespace cardvault::daemon {
namespace {

using Findings = std::vector<std::vector<std::string>>;

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kRenewCaMs = 90 * kDayMs;

std::map<std::string, std::int64_t> newest_ends(const ClientCa::Rows& rows) {
  std::map<std::string, std::int64_t> ends;
  for (const core::ClientCertificateRow& row : rows) {
    if (row.revoked_ms != 0) continue;
    auto& end = ends[row.client];
    end = std::max(end, row.not_after_ms);
  }
  return ends;
}

void examine_ca(Vault& vault, std::int64_t now, Findings& findings) {
  const auto cas = vault.client_ca().all();
  if (!cas || cas->empty()) return;
  const ClientCa::Certificate& active = cas->front();
  if (active.not_after_ms - now < kRenewCaMs) {
    findings.push_back(
        {active.not_after_ms < now ? "error" : "warning",
         "the client CA's certificate ends on " + base::format_time(active.not_after_ms),
         "`cardvault key rotate client-ca`, then enroll the clients anew"});
  }
  if (vault.client_ca().list_late(now)) {
    findings.push_back({"error",
                        "the clients' revocation list in " + vault.config().clients.ca_file +
                            " is not renewed; after 7 days gates let no enrolled client in",
                        "see the log for why: the HSM, or the disk of that file"});
  }
}

}  // namespace

std::vector<std::pair<std::string, double>> certificate_lives(const ClientCa::Rows& rows,
                                                              std::int64_t now_ms) {
  std::vector<std::pair<std::string, double>> out;
  for (const auto& [client, end] : newest_ends(rows)) {
    out.emplace_back(client, static_cast<double>(end - now_ms) / 1000);
  }
  return out;
}

Findings examine_clients(Vault& vault) {
  Findings findings;
  const std::int64_t now = vault.clock().now_ms();
  for (const auto& [id, end] : newest_ends(*vault.client_ca().rows())) {
    const auto client = vault.services().clients.by_id(id);
    if (!client || client->revoked || end - now > kRenewClient_ms) continue;
    findings.push_back(
        {end < now ? "error" : "warning",
         "client " + id + ": its certificate " + (end < now ? "ended" : "ends") + " on " +
             base::format_time(end),
         "have it make a new request, then `cardvault client enroll " + id + " --request FILE`"});
  }
  examine_ca(vault, now, findings);
  return findings;
}

}  // namespace cardvault::daemon
