#include "provisioning/ceremony_shares.h"

#include <time.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "provisioning/ceremony_desk.h"
#include "provisioning/ceremony_leaving.h"
#include "vault/base/clock.h"
#include "vault/custody/drill_log.h"
#include "vault/custody/lines.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;
constexpr const char* kNothing = "Nothing was recorded: run the same command again.\n";

std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000;
}

std::string name_of(const custody::KnownShare& share) {
  return share.custodian + "'s share " + std::to_string(share.label.index) + " of " +
         std::to_string(share.label.parts) + " of " +
         std::string(custody::secret_name(share.label.secret));
}

}  // namespace

ExitCode drill_share(const Context& context, const std::string& path) {
  const auto transcript = custody::parse_transcript(path, custody::read_text_file(path));
  const auto plan = custody::parse_plan(path, transcript.head.plan);
  const custody::ShareRegister shares(transcript);
  custody::Terminal terminal(kNothing);
  Desk desk(terminal, plan);
  const custody::Share share = desk.take_share("Your share");
  const auto known = shares.check(share, share.label.secret);
  if (!known) {
    throw ToolError(ExitCode::kRefused, custody::explain(known.error(), share.label));
  }
  custody::record_drill(path, *known, now_ms());
  terminal.say("Good: this is " + name_of(*known) + ".");
  context.err << "cardvault: recorded in " << custody::drill_log_path(path) << '\n';
  return ExitCode::kDone;
}

ExitCode list_shares(const Context& context, const std::string& path) {
  wire::AdminAnswer answer;
  answer.columns = {"secret", "share", "needed", "custodian", "split", "delivered", "last proven"};
  for (const custody::Drill& one : custody::last_drills(path)) {
    const auto& label = one.share.label;
    answer.rows.push_back({std::string(custody::secret_name(label.secret)),
                           std::to_string(label.index) + " of " + std::to_string(label.parts),
                           std::to_string(label.threshold), one.share.custodian,
                           std::to_string(label.generation), base::format_time(one.delivered_ms),
                           one.proven_ms == 0 ? "never" : base::format_time(one.proven_ms)});
  }
  render(context.out, context.format, answer);
  return ExitCode::kDone;
}

std::string newest_transcript(const std::string& folder) {
  std::string newest;
  unsigned highest = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename();
    constexpr std::string_view kPrefix = "transcript.";
    if (!name.starts_with(kPrefix)) continue;
    const auto number = custody::parse_number(name.substr(kPrefix.size()), 99999);
    if (!number || *number <= highest) continue;
    highest = *number;
    newest = entry.path();
  }
  return newest;
}

void check_shares(const std::string& folder, std::int64_t now, Findings& findings) {
  if (!fs::exists(folder)) return;
  const std::string path = newest_transcript(folder);
  const std::string how = "cardvault share drill --transcript " + path;
  std::vector<custody::Drill> drills;
  try {
    if (path.empty()) throw base::StartupError(folder + ": it has no transcript.N");
    drills = custody::last_drills(path);
    check_leavers(path, findings);
  } catch (const base::StartupError& problem) {
    findings.push_back({Severity::kError, problem.what(),
                        "put the transcript back from its copy: without it no share can be told "
                        "from a bad one"});
    return;
  }
  struct Count {
    unsigned proven = 0;
    unsigned needed = 0;
  };
  std::map<custody::SecretName, Count> counts;
  for (const custody::Drill& one : drills) {
    const std::int64_t last = std::max(one.proven_ms, one.delivered_ms);
    Count& count = counts[one.share.label.secret];
    count.needed = one.share.label.threshold;
    if (now - last <= kDrillWarning_ms) {
      ++count.proven;
      continue;
    }
    findings.push_back(
        {Severity::kWarning,
         name_of(one.share) + " was last proven good on " + base::format_time(last).substr(0, 10),
         how});
  }
  for (const auto& [secret, count] : counts) {
    const std::string name(custody::secret_name(secret));
    const bool spare = count.proven > count.needed;
    findings.push_back({spare ? Severity::kOk : Severity::kWarning,
                        name + ": " + std::to_string(count.proven) + " shares proven good, " +
                            std::to_string(count.needed) + " rebuild it",
                        spare ? "" : how});
  }
}

}  // namespace cardvault::provisioning
