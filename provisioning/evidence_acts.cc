#include <algorithm>
#include <filesystem>
#include <sstream>

#include "provisioning/auditor/audit_options.h"
#include "provisioning/auditor/evidence.h"
#include "provisioning/auditor/published_log.h"
#include "provisioning/config_file.h"
#include "provisioning/log_acts.h"
#include "provisioning/stated_facts.h"
#include "vault/audit/key_chain.h"
#include "vault/audit/sha256.h"
#include "vault/core/text_form.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;
using auditor::TarFile;

std::string as_json(const wire::AdminAnswer& answer) {
  std::ostringstream text;
  render(text, Format::kJson, answer);
  return text.str();
}

// Transcripts and the custodians' registers, earlier ones too; wrapped keys stay where they are.
void add_custody(const std::string& folder, std::vector<TarFile>& files) {
  if (!fs::exists(folder)) return;  // no ceremony was held
  std::vector<fs::path> found;
  for (const auto& one : fs::directory_iterator(folder)) {
    const std::string name = one.path().filename().string();
    if (one.is_regular_file() &&
        (name.starts_with("transcript") || name.starts_with("custodians"))) {
      found.push_back(one.path());
    }
  }
  std::ranges::sort(found);
  for (const fs::path& path : found) {
    files.push_back({"custody/" + path.filename().string(), auditor::read_file(path.string())});
  }
}

std::string configuration(const Context& context) {
  const std::string bytes = auditor::read_file(context.config);
  return "SHA-256 of " + fs::path(context.config).filename().string() + ": " +
         core::to_hex(audit::sha256(bytes)) + "\nsize: " + std::to_string(bytes.size()) + "\n";
}

void add_log(const auditor::Report& made, const auditor::ReportOptions& options,
             std::vector<TarFile>& files) {
  for (const std::string& code : options.languages) {
    files.push_back({"report." + code + ".html",
                     report_page(*auditor::parse_language(code), made.facts, made.tally)});
  }
  files.push_back({"checkpoints/current", made.facts.checkpoint_note});
  for (std::size_t i = 0; i < options.against.size(); ++i) {
    files.push_back(
        {"checkpoints/kept-" + std::to_string(i + 1), auditor::read_text(options.against[i])});
  }
  files.push_back({"keys/audit.vkey", made.facts.key + "\n"});
  // By the events in which each key was handed on, all earlier ones verify the archive too.
  const auditor::PublishedLog log(options.folder, options.also);
  const auto missing = audit::for_each_handover(
      audit::LogView(log.files(), made.facts.verified.checkpoint.size),
      [&](std::string_view event, std::uint64_t record) {
        files.push_back({auditor::kEndorsedName + std::to_string(record), std::string(event)});
      });
  if (missing) throw base::StartupError("the log was changed since it was verified");
}

std::vector<TarFile> gather(const Context& context, Backend& backend,
                            const EvidenceOptions& options, const auditor::Report& made) {
  std::vector<TarFile> files;
  add_log(made, options.report, files);
  const auto jwks = stated(context, backend, "jwks");
  if (jwks.rows.size() == 1 && !jwks.rows[0].empty()) {
    files.push_back({"keys/jwks.json", jwks.rows[0][0] + "\n"});
  }
  for (const char* verb : {"key.list", "client.list", "recipient.list", "doctor"}) {
    files.push_back(
        {"state/" + std::string(verb) + ".json", as_json(stated(context, backend, verb))});
  }
  files.push_back({"configuration.txt", configuration(context)});
  add_custody(
      options.custody.empty() ? read_config_file(context.config).custody_dir : options.custody,
      files);
  for (const std::string& path : options.files) {
    files.push_back({"further/" + fs::path(path).filename().string(), auditor::read_file(path)});
  }
  return files;
}

std::string sign(const Context& context, Backend& backend, const std::vector<TarFile>& files) {
  const std::string list = auditor::evidence_list(files);
  const auto bytes = base::as_bytes(list);
  const auto answer = ask(context, backend, "audit.evidence", {}, {bytes.begin(), bytes.end()});
  if (!answer.ok || answer.rows.size() != 1 || answer.rows[0].empty()) {
    throw ToolError(ExitCode::kRefused, "the vault did not sign: " + printable(answer.message));
  }
  return answer.rows[0][0];
}

}  // namespace

ExitCode pack_evidence(const Context& context, EvidenceOptions options) {
  const auto backend = context.open(context);
  const auto named = name_log(context, *backend, "audit.report", options.report);
  if (!named.ok) return conclude(context, named);
  const auto pack = [&](const auditor::Terminal& terminal) {
    options.report.vault = state_of(context, *backend);
    const auditor::Report made = auditor::make_report(options.report, terminal);
    if (!made.facts.verified.findings.empty()) {
      terminal.err << "cardvault: NOT VERIFIED, and nothing is packed: `cardvault audit verify` "
                      "names what was changed\n";
      return auditor::kNotVerified;
    }
    auto files = gather(context, *backend, options, made);
    files.insert(files.begin(),
                 {std::string(auditor::kManifestName), sign(context, *backend, files)});
    auditor::write_file(options.report.output, auditor::make_tar(files, made.facts.made_ms / 1000));
    terminal.err << options.report.output << " is written, " << files.size()
                 << " files: `cardvault-audit evidence verify` checks it\n";
    return auditor::kVerified;
  };
  return static_cast<ExitCode>(auditor::guarded(pack)(terminal_of(context)));
}

}  // namespace cardvault::provisioning
