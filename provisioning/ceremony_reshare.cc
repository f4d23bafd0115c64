// `share reshare`.
#include <algorithm>
#include <filesystem>

#include "provisioning/ceremony_delivery.h"
#include "provisioning/ceremony_shares.h"
#include "provisioning/custody/transcript_check.h"
#include "provisioning/key_folder_files.h"
#include "provisioning/newest_transcript.h"
#include "provisioning/private_file.h"
#include "provisioning/split_numbers.h"
#include "vault/base/clock.h"
#include "vault/custody/drill_log.h"
#include "vault/custody/left_log.h"
#include "vault/custody/lines.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;
using custody::SecretName;

constexpr const char* kAgain =
    "The shares that were good before still are. New ones that were given out just now are in no "
    "transcript:\ndestroy them, and run the same command again.\n";

class Reshare {
 public:
  Reshare(const ReshareOptions& options, SecretName secret, custody::Terminal& terminal)
      : secret_(secret),
        terminal_(terminal),
        path_(options.transcript),
        text_(custody::read_text_file(options.transcript)),
        old_(custody::parse_transcript(options.transcript, text_)),
        plan_(custody::parse_plan(options.transcript, old_.head.plan)),
        shares_(old_),
        desk_(terminal, plan_),
        home_(fs::absolute(options.out).parent_path()),
        draft_(options.out + ".part"),
        numbers_(draft_, old_) {
    for (const std::string& one : options.mediums) replace_medium(one);
    static_cast<void>(read_newest(path_));
    refuse_outdated(path_, old_, home_);
    if (!custody::all_good(custody::check_transcript(old_))) {
      throw ToolError(ExitCode::kRefused,
                      options.transcript + " does not hold: see `cardvault ceremony verify`");
    }
    for (const custody::Left& one : custody::who_left(path_, old_)) {
      throw ToolError(
          ExitCode::kRefused,
          one.name + " left on " + base::format_time(one.time_ms).substr(0, 10) +
              ": new shares of the same secret change nothing about what they know. See "
              "`cardvault share leave " +
              one.name + "`");
    }
    current_ = shares_.current(secret_);
    if (current_.empty()) {
      throw ToolError(ExitCode::kUsage, std::string(custody::secret_name(secret_)) +
                                            " is not split among custodians");
    }
  }

  void run(const std::string& out) {
    // Not under its name before it is whole: the newest transcript says which shares are good.
    custody::TranscriptWriter writer = numbers_.begin(
        {"reshare", old_.head.vault, custody::hex(custody::sha256(text_)), plan_.text},
        {{"operator", login_name()}, {"secret", std::string(custody::secret_name(secret_))}});
    carry_over(writer);
    const std::vector<custody::Share> fresh = split(writer);
    deliver_all(writer, fresh);
    writer.add("split-void", {{"secret", std::string(custody::secret_name(secret_))},
                              {"generation", std::to_string(current_[0].label.generation)},
                              {"reason", "reshared"}});
    writer.add("end", {});
    for (const custody::PlanCustodian& who : plan_.custodians) {
      desk_.sign(writer, who, "are the old shares destroyed or lost, and do you sign it");
    }
    set_access(draft_, 0644, {});  // the daemon reads it under its own account
    fs::rename(draft_, out);
    sync_directory(home_);
  }

 private:
  void replace_medium(const std::string& text) {
    const auto equals = text.find('=');
    const std::string name = text.substr(0, equals);
    const auto found = std::ranges::find_if(
        plan_.custodians, [&](const auto& one) { return one.custodian.name == name; });
    if (equals == std::string::npos || found == plan_.custodians.end()) {
      throw ToolError(ExitCode::kUsage, "--medium is CUSTODIAN=FOLDER, of a custodian of the plan");
    }
    found->medium = text.substr(equals + 1);
  }

  // What stays good, so that the new transcript says all there is to know.
  void carry_over(custody::TranscriptWriter& writer) {
    for (const custody::Drill& one : custody::last_drills(path_)) {
      custody::Fields fields =
          custody::share_fields(one.share.label, one.share.custodian, one.share.digest);
      fields.emplace_back("since", base::format_time(std::max(one.proven_ms, one.delivered_ms)));
      writer.add("share-carried", fields);
    }
  }

  [[nodiscard]] std::vector<custody::Share> split(custody::TranscriptWriter& writer) {
    std::vector<custody::KnownShare> used;
    terminal_.say("Any " + std::to_string(current_[0].label.threshold) + " custodians of " +
                  std::string(custody::secret_name(secret_)) + " bring their shares.");
    const base::SecretBuffer value = desk_.rebuild(shares_, secret_, &used);
    for (const custody::KnownShare& one : used) {
      writer.add("share-entered", custody::share_fields(one.label, one.custodian, one.digest));
    }
    custody::ShareLabel label = current_[0].label;
    label.generation = numbers_.next(secret_);
    auto out = custody::split_secret(value, label);
    for (const custody::Share& one : out) {
      writer.add("share-made", custody::share_fields(one.label, holder(one).custodian.name,
                                                     custody::share_digest(one)));
    }
    return out;
  }

  [[nodiscard]] const custody::PlanCustodian& holder(const custody::Share& share) const {
    return plan_.custodians[plan_.holders(secret_)[share.label.index - 1U]];
  }

  void deliver_all(custody::TranscriptWriter& writer, const std::vector<custody::Share>& shares) {
    for (const custody::Share& share : shares) {
      const custody::PlanCustodian& who = holder(share);
      const auto files = deliver(terminal_, desk_, who, {&share},
                                 {.read_back = plan_.read_back, .banner = "", .home = home_});
      writer.add("share-confirmed", {{"secret", std::string(custody::secret_name(secret_))},
                                     {"generation", std::to_string(share.label.generation)},
                                     {"index", std::to_string(share.label.index)},
                                     {"custodian", who.custodian.name},
                                     {"by", files.empty() ? "terminal" : "medium"}});
    }
  }

  SecretName secret_;
  custody::Terminal& terminal_;
  std::string path_;  // of the transcript before
  std::string text_;
  custody::Transcript old_;
  custody::Plan plan_;
  custody::ShareRegister shares_;
  Desk desk_;
  std::string home_;
  std::string draft_;  // of the transcript after
  SplitNumbers numbers_;
  std::vector<custody::KnownShare> current_;
};

}  // namespace

ExitCode reshare(const Context& context, const ReshareOptions& options) {
  const auto secret = custody::parse_secret_name(options.secret);
  if (!secret) throw ToolError(ExitCode::kUsage, "no secret is called " + options.secret);
  if (fs::exists(options.out)) {
    throw ToolError(ExitCode::kLocal, options.out + " is there already, and is never overwritten");
  }
  demand_newer_name(options.out);
  custody::Terminal terminal(kAgain);
  try {
    Reshare(options, *secret, terminal).run(options.out);
  } catch (const custody::Declined& problem) {
    throw ToolError(ExitCode::kRefused, std::string(problem.what()) + "\n" + kAgain);
  }
  context.err << "cardvault: " << options.out << " is the newest transcript now. The old shares of "
              << options.secret << " are void: destroy them\n";
  return ExitCode::kDone;
}

}  // namespace cardvault::provisioning
