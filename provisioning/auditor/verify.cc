#include "provisioning/auditor/verify.h"

#include <chrono>

#include "provisioning/auditor/published_log.h"
#include "vault/audit/base64.h"
#include "vault/audit/verify.h"
#include "vault/base/clock.h"

namespace cardvault::auditor {
namespace {

constexpr std::size_t kShown = 20;  // findings
constexpr std::int64_t kDayMs = 86'400'000;

// One line, drawn over, at most ten times a second. Called by one thread at a time.
class ProgressLine {
 public:
  explicit ProgressLine(const Terminal& terminal) : terminal_(terminal) {}
  ~ProgressLine() {
    if (drawn_) terminal_.err << "\r\033[K" << std::flush;
  }
  ProgressLine(const ProgressLine&) = delete;             // one line, one owner
  ProgressLine& operator=(const ProgressLine&) = delete;  // one line, one owner

  void show(std::uint64_t done, std::uint64_t all) {
    const auto now = std::chrono::steady_clock::now();
    if (!terminal_.err_is_terminal || now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    drawn_ = true;
    const double seconds = std::chrono::duration<double>(now - began_).count();
    terminal_.err << "\rverify " << done * 100 / std::max<std::uint64_t>(all, 1) << " %  " << done
                  << " of " << all << " records, "
                  << static_cast<std::uint64_t>(static_cast<double>(done) / seconds) << "/s\033[K"
                  << std::flush;
  }

 private:
  using Time = std::chrono::steady_clock::time_point;
  const Terminal& terminal_;
  const Time began_ = std::chrono::steady_clock::now();
  Time last_{};
  bool drawn_ = false;
};

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

void print_json(const audit::VerifyReport& report, std::ostream& out) {
  out << "{\"verified\":" << (report.findings.empty() ? "true" : "false")
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
  for (const audit::EndorsedKey& next : report.successors) {
    out << "key " << printable(next.key.text()) << ", endorsed in record " << next.record
        << " by the one before\n";
  }
  for (const std::string& one : options.against) out << "continues " << one << '\n';
}

}  // namespace

int verify(const VerifyOptions& options, const Terminal& terminal) {
  const PublishedLog log(options.folder, options.also);
  const audit::VerifierKey key = log.key(options.key);
  std::vector<audit::KeptCheckpoint> older;
  for (const std::string& path : options.against) older.push_back({path, read_file(path)});
  audit::VerifyReport report;
  {
    ProgressLine progress(terminal);
    report = audit::verify_log(log.files(), key, older,
                               {options.threads, [&](std::uint64_t done, std::uint64_t all) {
                                  progress.show(done, all);
                                }});
  }
  if (terminal.json) {
    print_json(report, terminal.out);
  } else {
    print_text(report, options, terminal.out);
  }
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  if (report.last_ms > now + kDayMs) {
    terminal.err << "cardvault-audit: the last event is dated " << base::format_time(report.last_ms)
                 << ", in the future by this machine's clock: look at the clocks of both\n";
  }
  return report.findings.empty() ? kVerified : kNotVerified;
}

}  // namespace cardvault::auditor
