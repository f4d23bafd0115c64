#include "provisioning/auditor/report.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "provisioning/auditor/custodians_word.h"
#include "provisioning/auditor/progress_line.h"
#include "provisioning/auditor/published_log.h"
#include "provisioning/auditor/utc_time.h"
#include "vault/audit/event_codec.h"
#include "vault/audit/proven_log.h"
#include "vault/base/clock.h"
#include "vault/base/fd.h"

namespace cardvault::auditor {
namespace {

constexpr std::int64_t kSecondMs = 1000;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

audit::VerifyReport verified(const ReportOptions& options, const PublishedLog& log,
                             const audit::VerifierKey& key, const Terminal& terminal) {
  std::vector<audit::KeptCheckpoint> older;
  for (const std::string& path : options.against) older.push_back({path, read_text(path)});
  ProgressLine progress(terminal, "verify", "records");
  return audit::verify_log(
      log.files(), key, older,
      {options.threads, [&](std::uint64_t done, std::uint64_t all) { progress.show(done, all); }},
      trust_custodians(options.custodians));
}

// Of the state that was verified, whatever was published meanwhile.
void count(const PublishedLog& log, const audit::Checkpoint& checkpoint, ReportTally& tally,
           const Terminal& terminal) {
  audit::ProvenLog proven(log.files(), checkpoint);
  ProgressLine progress(terminal, "report", "records");
  bool over = false;
  for (std::uint64_t bundle = 0; bundle < proven.bundles() && !over; ++bundle) {
    proven.read_bundle(bundle, [&](std::uint64_t record, std::string_view entry) {
      const auto head = audit::check_event(entry);
      if (!head) {
        ++tally.malformed;
        return;
      }
      over = over || head->time_ms >= tally.to_ms();
      if (over || (head->time_ms < tally.from_ms() && !ReportTally::about_lives(entry))) return;
      if (const auto event = audit::parse_event(entry, nullptr)) tally.add(record, *event);
    });
    progress.show(std::min((bundle + 1) * audit::kTileWidth, checkpoint.size), checkpoint.size);
  }
}

std::string note_of(const PublishedLog& log) {
  const auto note = log.files()(std::string(audit::kCheckpointPath));
  return note && *note ? **note : "";
}

std::string output_of(const ReportOptions& options, const std::string& language) {
  if (options.languages.size() == 1) return options.output;
  std::filesystem::path path(options.output);
  path.replace_extension("." + language + path.extension().string());
  return path.string();
}

}  // namespace

Report make_report(const ReportOptions& options, const Terminal& terminal) {
  const std::int64_t from = options.from.empty() ? 0 : parse_utc(options.from);
  const std::int64_t to = options.to.empty() ? 0 : parse_utc(options.to);
  if (to != 0 && to <= from) throw base::StartupError("--to has to be after --from");
  const PublishedLog log(options.folder, options.also);
  const audit::VerifierKey key = log.key(options.key);
  ReportFacts facts;
  facts.made_ms = now_ms();
  facts.checkpoint_note = note_of(log);
  facts.verified = verified(options, log, key, terminal);
  const auto seen = audit::parse_checkpoint_text(facts.checkpoint_note);
  if (!seen || seen->root != facts.verified.checkpoint.root) {
    facts.checkpoint_note = note_of(log);  // another one was published in between
  }
  facts.key = key.text();
  facts.continues = options.against;
  facts.vault = options.vault;
  facts.from_ms = from != 0 ? from : facts.verified.first_ms / kSecondMs * kSecondMs;
  facts.to_ms = to != 0 ? to : facts.verified.last_ms / kSecondMs * kSecondMs + kSecondMs;
  facts.to_ms = std::max(facts.to_ms, facts.from_ms + kSecondMs);
  Report made{std::move(facts), ReportTally(0, 1)};
  made.tally = ReportTally(made.facts.from_ms, made.facts.to_ms);
  if (made.facts.verified.findings.empty()) {
    count(log, made.facts.verified.checkpoint, made.tally, terminal);
    if (made.tally.events == 0) {
      terminal.err << "cardvault-audit: no record is in that period: the log's are of "
                   << base::format_time(made.facts.verified.first_ms) << " to "
                   << base::format_time(made.facts.verified.last_ms) << '\n';
    }
  }
  return made;
}

int report(const ReportOptions& options, const Terminal& terminal) {
  for (const std::string& code : options.languages) {
    if (!parse_language(code)) throw base::StartupError("the languages are en, ru and kk");
  }
  const Report made = make_report(options, terminal);
  for (const std::string& code : options.languages) {
    const std::string path = output_of(options, code);
    write_file(path, report_page(*parse_language(code), made.facts, made.tally));
    terminal.err << path << " is written\n";
  }
  if (made.facts.verified.findings.empty()) return kVerified;
  terminal.err << "cardvault-audit: NOT VERIFIED: the report says so and holds no figures; `audit "
                  "verify` names what was changed\n";
  return kNotVerified;
}

void write_file(const std::string& path, std::string_view bytes) {
  struct stat there{};
  // A device or a pipe is written to. Never put a file in its place: /dev/null is everybody's.
  const bool special = ::stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode);
  // A name of its own: another process may be writing the same report.
  std::string draft = path + ".XXXXXX";
  const int fd = special ? ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY)
                         : ::mkostemp(draft.data(), O_CLOEXEC);
  int problem = fd < 0 ? errno : 0;
  if (problem == 0) problem = base::write_all(fd, bytes);
  if (problem == 0 && ::fsync(fd) != 0 && errno != EINVAL) problem = errno;
  if (fd >= 0) ::close(fd);
  if (problem == 0 && !special && std::rename(draft.c_str(), path.c_str()) != 0) problem = errno;
  if (problem == 0) return;
  if (fd >= 0 && !special) ::unlink(draft.c_str());
  throw base::StartupError(path + " can't be written: " + std::strerror(problem));
}

}  // namespace cardvault::auditor
