#include "provisioning/auditor/continuation.h"

#include <memory>
#include <optional>

#include "provisioning/auditor/custodians_word.h"
#include "provisioning/auditor/published_log.h"
#include "vault/audit/event_codec.h"
#include "vault/audit/proven_log.h"
#include "vault/audit/verify.h"
#include "vault/custody/digest.h"

namespace cardvault::auditor {
namespace {

// What a restored vault's first record says.
struct Continuation {
  std::string log;   // the name of the one before
  std::string note;  // its checkpoint
  std::string action;
  std::vector<std::string> approvals;
  std::int64_t time_ms = 0;
};

std::optional<Continuation> first_record(const audit::ReadFile& read, std::uint64_t size) {
  if (size == 0) return std::nullopt;
  const auto entry = audit::TileReader(read, size).entry(0);
  const auto event = entry ? audit::parse_event(*entry, nullptr)
                           : base::Result<core::Event>(std::unexpected(entry.error()));
  if (!event || event->operation != "log.continues") return std::nullopt;
  Continuation out;
  out.log = event->resource;
  out.time_ms = event->time_ms;
  for (const auto& [name, value] : event->details) {
    if (name == "checkpoint") out.note = value;
    if (name == "action") out.action = value;
    if (name.starts_with("approval")) out.approvals.push_back(value);
  }
  return out;
}

audit::VerifierKey key_of(const std::string& log, const std::vector<std::string>& keys,
                          const PublishedLog& folder) {
  for (const std::string& one : keys) {
    audit::VerifierKey key = folder.key(one);
    if (key.name() == log) return key;
  }
  throw base::StartupError("no --before-key is of the log " + printable(log));
}

// JSON is of the newest log alone.
std::ostream& lines_of(const Terminal& terminal) {
  return terminal.json ? terminal.err : terminal.out;
}

int not_verified(const Terminal& terminal, const std::string& log, const std::string& why) {
  lines_of(terminal) << "NOT VERIFIED: the log before, " << printable(log) << ": " << printable(why)
                     << '\n';
  return kNotVerified;
}

std::string described(const audit::Finding& finding) {
  return std::string(audit::fault_name(finding.fault)) + ", " + finding.file + ": " + finding.what;
}

}  // namespace

std::string continues_what(const audit::ReadFile& read, std::uint64_t size) {
  const auto first = first_record(read, size);
  if (!first) return "";
  const auto last = audit::parse_checkpoint_text(first->note);
  return printable(first->log) + " after its first " + std::to_string(last ? last->size : 0) +
         " records";
}

int verify_before(const audit::ReadFile& read, std::uint64_t size, const BeforeOptions& options,
                  const std::vector<std::string>& also, unsigned threads,
                  const Terminal& terminal) {
  audit::ReadFile files = read;
  std::vector<std::unique_ptr<PublishedLog>> opened;
  for (const std::string& folder : options.folders) {
    const auto first = first_record(files, size);
    if (!first) {
      return not_verified(terminal, folder,
                          "the log after it does not begin with log.continues: "
                          "no restore joins them");
    }
    opened.push_back(std::make_unique<PublishedLog>(folder, also));
    const PublishedLog& before = *opened.back();
    const audit::VerifierKey key = key_of(first->log, options.keys, before);
    const audit::QuorumJudge judge = trust_custodians(options.custodians);
    audit::Checkpoint last;
    try {
      last = before.opened(first->note, key, judge);
    } catch (const audit::NotProven& problem) {
      return not_verified(terminal, first->log,
                          std::string("what the next log begins with: ") + problem.what());
    }
    const auto report = audit::verify_log(
        before.files(), key, {{"the next log's first record", first->note}}, {threads, {}}, judge);
    if (!report.findings.empty()) {
      return not_verified(terminal, first->log, described(report.findings[0]));
    }
    if (!options.custodians.empty()) {
      const std::string fault =
          quorum_fault({first->action, first->approvals, first->time_ms}, "backup.restore",
                       {{"checkpoint", std::to_string(last.size) + " " + custody::hex(last.root)}},
                       options.custodians);
      if (!fault.empty()) return not_verified(terminal, first->log, fault);
    }
    lines_of(terminal) << "verified: " << printable(first->log) << ", " << report.checkpoint.size
                       << " records, of which the next log knows " << last.size
                       << (options.custodians.empty()
                               ? "; the quorum's signatures were not checked (give "
                                 "--custodians)\n"
                               : "; the quorum approved\n");
    for (const auto& next : report.successors) lines_of(terminal) << endorsement(next) << '\n';
    if (report.checkpoint.size > last.size) {
      lines_of(terminal)
          << "  " << report.checkpoint.size - last.size
          << " records came after that: what they tell of was not known to the restore\n";
    }
    files = before.files();
    size = report.checkpoint.size;
  }
  return kVerified;
}

}  // namespace cardvault::auditor
