#include "provisioning/ceremony_shares.h"

#include <time.h>

#include <algorithm>

#include "provisioning/ceremony_desk.h"
#include "provisioning/newest_transcript.h"
#include "vault/base/clock.h"
#include "vault/custody/drill_log.h"

namespace cardvault::provisioning {
namespace {

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
  const auto transcript = read_newest(path);
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
  static_cast<void>(read_newest(path));  // of another, void shares would be listed as good
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

}  // namespace cardvault::provisioning
