#include "provisioning/doctor.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "provisioning/config_file.h"
#include "provisioning/local_checks.h"

namespace cardvault::provisioning {
namespace {

constexpr std::array<std::string_view, 4> kSeverities = {"ok", "note", "warning", "error"};

void ask_vault(const Context& context, Findings& findings) {
  try {
    const auto backend = context.open(context);
    if (!backend->running()) {
      findings.push_back({Severity::kWarning, "no vault runs: it was examined in this process",
                          "systemctl start cardvault.target"});
    }
    const auto answer = ask(context, *backend, "doctor", {});
    const Findings more = read_findings(answer);
    findings.insert(findings.end(), more.begin(), more.end());
    if (!answer.ok) {
      findings.push_back({Severity::kError, "the vault refused to be examined: " + answer.message,
                          "act as an operator that [admin] operators names"});
    }
  } catch (const base::StartupError& problem) {
    findings.push_back(
        {Severity::kError, problem.what(), "the rest was checked without the vault"});
  }
}

}  // namespace

wire::AdminAnswer findings_table(Findings findings) {
  std::ranges::stable_sort(findings, std::greater<>(), &Finding::severity);
  wire::AdminAnswer answer;
  answer.columns = {"severity", "what", "do"};
  for (Finding& finding : findings) {
    answer.rows.push_back({std::string(kSeverities.at(static_cast<std::size_t>(finding.severity))),
                           std::move(finding.what), std::move(finding.advice)});
  }
  return answer;
}

Findings read_findings(const wire::AdminAnswer& answer) {
  Findings findings;
  for (const auto& row : answer.rows) {
    if (row.size() != 3) continue;
    const auto name = std::ranges::find(kSeverities, row[0]);
    const auto severity = name == kSeverities.end()
                              ? Severity::kWarning
                              : static_cast<Severity>(name - kSeverities.begin());
    findings.push_back({severity, row[1], row[2]});
  }
  return findings;
}

ExitCode doctor(const Context& context) {
  Findings findings;
  try {
    const ConfigFile config = read_config_file(context.config);
    check_files(context.config, config, findings);
    check_gates(context.config, config, findings);
    check_module(config, findings);
    check_wrapped_keys(config, findings);
    check_machine(config, findings);
    ask_vault(context, findings);
  } catch (const ToolError& problem) {
    findings.push_back(
        {Severity::kError, problem.what(), "without it nothing else can be checked"});
  }
  const bool error = std::ranges::any_of(
      findings, [](const Finding& finding) { return finding.severity == Severity::kError; });
  render(context.out, context.format, findings_table(std::move(findings)));
  return error ? ExitCode::kRefused : ExitCode::kDone;
}

}  // namespace cardvault::provisioning
