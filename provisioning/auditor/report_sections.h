// The sections of a report's page.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "provisioning/auditor/report_page.h"

namespace cardvault::auditor {

// `title` and `body` are HTML. `together`: not cut by the end of a printed page.
[[nodiscard]] std::string section(std::string_view title, const std::string& body,
                                  bool together = false);

[[nodiscard]] std::string traffic_sections(Language language, const ReportTally& tally);
[[nodiscard]] std::string reveal_section(Language language, const ReportTally& tally,
                                         const std::optional<VaultState>& vault);
[[nodiscard]] std::string lockout_section(Language language, const ReportTally& tally);
[[nodiscard]] std::string key_sections(Language language, const ReportTally& tally,
                                       const std::optional<VaultState>& vault);
// Which HSMs served, and whether they are secure cryptographic devices (PCI DSS 3.6.1.2).
[[nodiscard]] std::string hsm_section(Language language, const ReportTally& tally);
// Custodians, operators, and who looked into the log.
[[nodiscard]] std::string people_sections(Language language, const ReportTally& tally);
[[nodiscard]] std::string client_sections(Language language, const ReportTally& tally,
                                          const std::optional<VaultState>& vault);

}  // namespace cardvault::auditor
