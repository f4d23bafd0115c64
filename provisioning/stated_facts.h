// What a vault says of itself for reports and evidence.
#pragma once

#include "provisioning/auditor/report.h"
#include "provisioning/auditor/terminal.h"
#include "provisioning/context.h"

namespace cardvault::provisioning {

[[nodiscard]] auditor::Terminal terminal_of(const Context& context);

// Asks where the log is and which key it has, as `verb`, and puts both into options that lack them,
// with the folders of closed months; then awaits the publication of what happened before.
[[nodiscard]] wire::AdminAnswer name_log(const Context& context, Backend& backend,
                                         const std::string& verb, auditor::ReportOptions& options);

// Waits until `events` events of the log are published by that key, which takes a second; says on
// the terminal when they are not after five. Throws StartupError as PublishedLog.
void await_publication(const auditor::Terminal& terminal, const std::string& folder,
                       const std::vector<std::string>& also, const std::string& key,
                       const std::vector<std::string>& custodians, std::uint64_t events);

// Its keys, clients and budgets. Throws ToolError(kRefused) when it does not say.
[[nodiscard]] auditor::VaultState state_of(const Context& context, Backend& backend);

// The answer to a verb that only asks. Throws ToolError(kRefused).
[[nodiscard]] wire::AdminAnswer stated(const Context& context, Backend& backend,
                                       const std::string& verb);

}  // namespace cardvault::provisioning
