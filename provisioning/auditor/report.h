// `audit report`: a period of the log as a page for people.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "provisioning/auditor/report_page.h"
#include "provisioning/auditor/terminal.h"

namespace cardvault::auditor {

struct ReportOptions {
  std::string folder;
  std::vector<std::string> also;        // further folders with files of the log
  std::string key;                      // see PublishedLog::key()
  std::vector<std::string> custodians;  // see trust_custodians()
  std::string from, to;                 // as typed; empty: the log's first event, and its last
  std::vector<std::string> against;     // files: checkpoints kept elsewhere
  std::vector<std::string> languages = {"en"};
  std::string output;
  unsigned threads = 0;
  std::optional<VaultState> vault;
};

struct Report {
  ReportFacts facts;
  ReportTally tally;
};
// Verifies the whole log, and counts what it says of the period, if it verified. Memory is bounded
// whatever the log's size. Throws StartupError, NotProven.
[[nodiscard]] Report make_report(const ReportOptions& options, const Terminal& terminal);

// Writes it; with several languages, one file each, with the language before the name's ending.
// Returns the exit code: a log that is not verified has a report that says so. Throws as above.
[[nodiscard]] int report(const ReportOptions& options, const Terminal& terminal);

// Beside its place, synced, and moved there; into what is a device or a pipe. Throws StartupError.
void write_file(const std::string& path, std::string_view bytes);

}  // namespace cardvault::auditor
