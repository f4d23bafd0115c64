#include "provisioning/auditor/verify.h"

#include <chrono>

#include "provisioning/auditor/custodians_word.h"
#include "provisioning/auditor/progress_line.h"
#include "provisioning/auditor/published_log.h"
#include "vault/audit/base64.h"
#include "vault/audit/verify.h"
#include "vault/base/clock.h"

namespace cardvault::auditor {
namespace {

constexpr std::size_t kShown = 20;  // findings
constexpr std::int64_t kDayMs = 86'400'000;

std::string described(const audit::Finding& finding) {
  std::string text(audit::fault_name(finding.fault));
  if (finding.record != audit::kNoRecord) text += ", record " + std::to_string(finding.record);
  text += ", " + finding.file + " at byte " + std::to_string(finding.offset);
  return text + ": " + finding.what;
}

// What is printed as JSON holds no quotes and backslashes of others: printable() and our own texts.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

void print_json(const audit::VerifyReport& report, bool verified, std::ostream& out) {
  out << "{\"verified\":" << (verified ? "true" : "false")
      << ",\"log\":" << quoted(report.checkpoint.origin)
      << ",\"records\":" << report.checkpoint.size
      << ",\"root\":" << quoted(audit::to_base64(report.checkpoint.root)) << ",\"findings\":[";
  for (std::size_t i = 0; i < report.findings.size(); ++i) {
    const audit::Finding& finding = report.findings[i];
    out << (i == 0 ? "" : ",") << "{\"fault\":" << quoted(std::string(fault_name(finding.fault)));
    if (finding.record != audit::kNoRecord) out << ",\"record\":" << finding.record;
    out << ",\"file\":" << quoted(finding.file) << ",\"offset\":" << finding.offset
        << ",\"what\":" << quoted(finding.what) << "}";
  }
  out << "],\"keys\":[";
  for (std::size_t i = 0; i < report.successors.size(); ++i) {
    const audit::EndorsedKey& next = report.successors[i];
    out << (i == 0 ? "" : ",") << "{\"key\":" << quoted(next.key.text())
        << ",\"record\":" << next.record << ",\"endorsed_by\":"
        << (next.last_known.empty() ? "\"the key before\"" : "\"the custodians' quorum\"") << "}";
  }
  out << "]}\n";
}

void print_text(const audit::VerifyReport& report, const VerifyOptions& options,
                std::ostream& out) {
  if (!report.findings.empty()) {
    out << "NOT VERIFIED: " << described(report.findings[0]) << '\n';
    for (std::size_t i = 1; i < report.findings.size() && i < kShown; ++i) {
      out << "also: " << described(report.findings[i]) << '\n';
    }
    if (report.findings.size() > kShown) {
      out << "and " << report.findings.size() - kShown << " more\n";
    }
    return;
  }
  out << "verified: " << printable(report.checkpoint.origin) << ", " << report.checkpoint.size
      << " records, root " << audit::to_base64(report.checkpoint.root) << '\n';
  if (report.records != 0) {
    out << "events from " << base::format_time(report.first_ms) << " to "
        << base::format_time(report.last_ms) << '\n';
  }
  for (const audit::EndorsedKey& next : report.successors) out << endorsement(next) << '\n';
  for (const std::string& one : options.against) out << "continues " << one << '\n';
}

}  // namespace

int verify(const VerifyOptions& options, const Terminal& terminal) {
  const PublishedLog log(options.folder, options.also);
  const audit::VerifierKey key = log.key(options.key);
  std::vector<audit::KeptCheckpoint> older;
  for (const std::string& path : options.against) older.push_back({path, read_text(path)});
  audit::VerifyReport report;
  {
    ProgressLine progress(terminal, "verify", "records");
    report = audit::verify_log(
        log.files(), key, older,
        {options.threads, [&](std::uint64_t done, std::uint64_t all) { progress.show(done, all); }},
        trust_custodians(options.before.custodians));
  }
  if (!terminal.json) print_text(report, options, terminal.out);
  const bool good = report.findings.empty();
  const std::string before = good ? continues_what(log.files(), report.checkpoint.size) : "";
  if (!before.empty() && options.before.folders.empty()) {
    terminal.err << "cardvault-audit: a restored vault's log: it continues " << before
                 << "; verify that too, with --before\n";
  }
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  if (report.last_ms > now + kDayMs) {
    terminal.err << "cardvault-audit: the last event is dated " << base::format_time(report.last_ms)
                 << ", in the future by this machine's clock: look at the clocks of both\n";
  }
  int code = good ? kVerified : kNotVerified;
  if (good && !options.before.folders.empty()) {
    code = verify_before(log.files(), report.checkpoint.size, options.before, options.also,
                         options.threads, terminal);
  }
  if (terminal.json) print_json(report, code == kVerified, terminal.out);
  return code;
}

}  // namespace cardvault::auditor
