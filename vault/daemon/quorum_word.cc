#include "vault/daemon/quorum_word.h"

#include <algorithm>

#include "vault/base/check.h"
#include "vault/base/clock.h"
#include "vault/custody/quorum.h"
#include "vault/custody/shamir.h"
#include "vault/daemon/stored_state.h"

namespace cardvault::daemon {

using base::Code;

namespace {

constexpr std::int64_t kActionLifeMs = 24LL * 3'600'000;
constexpr std::size_t kSpentBytes = sizeof(custody::Digest) + 8;

ActArguments arguments_of(const Act& act) {
  ActArguments out;
  for (const auto& one : act.arguments) {
    if (!is_quorum_argument(one.first)) out.push_back(one);
  }
  std::ranges::sort(out);
  return out;
}

std::string in_words(std::string_view verb, const ActArguments& arguments) {
  std::string out(verb);
  for (const auto& [name, value] : arguments) out += " " + name + "=" + value;
  return out;
}

std::string names_of(const custody::CustodianSet& set) {
  std::string out;
  for (const auto& one : set.custodians) out += (out.empty() ? "" : ", ") + one.name;
  return out;
}

QuorumRefusal ask_for(const custody::CustodianSet& set, const Act& act, std::int64_t now_ms) {
  const auto action = custody::make_action(set.vault, std::string(act.verb), arguments_of(act),
                                           now_ms + kActionLifeMs);
  return {Code::kApprovalNeeded,
          "this takes the signatures of " + std::to_string(set.needed) + " custodians of " +
              names_of(set),
          custody::encode(action)};
}

// What was carried out and has not expired yet.
std::vector<std::uint8_t> still_spent(std::span<const std::uint8_t> spent, std::int64_t now_ms) {
  std::vector<std::uint8_t> out;
  for (; spent.size() >= kSpentBytes; spent = spent.subspan(kSpentBytes)) {
    const auto expires = read_u64(spent.subspan(sizeof(custody::Digest)));
    if (static_cast<std::int64_t>(expires) <= now_ms) continue;
    out.insert(out.end(), spent.begin(), spent.begin() + kSpentBytes);
  }
  return out;
}

bool contains(std::span<const std::uint8_t> spent, const custody::Digest& digest) {
  for (; spent.size() >= kSpentBytes; spent = spent.subspan(kSpentBytes)) {
    if (std::ranges::equal(spent.first(digest.size()), digest)) return true;
  }
  return false;
}

struct Word {
  custody::Action action;
  std::vector<custody::Approval> approvals;
};

// Throws StartupError on texts that are none.
Word read_word(const Act& act) {
  Word out;
  for (const auto& [name, value] : act.arguments) {
    if (name == kActionArgument) out.action = custody::parse_action("the action", value);
    if (name != kApprovalArgument || out.approvals.size() > custody::kMaxParts) continue;
    out.approvals.push_back(custody::parse_approval("an approval", value));
  }
  return out;
}

std::optional<QuorumRefusal> judge(const custody::CustodianSet& set, const Act& act,
                                   const Word& word, std::int64_t now_ms, core::Event& done) {
  const ActArguments wanted = arguments_of(act);
  if (word.action.verb != act.verb || word.action.arguments != wanted) {
    return QuorumRefusal{Code::kNotAllowed,
                         "these approvals are for \"" +
                             in_words(word.action.verb, word.action.arguments) + "\", not for \"" +
                             in_words(act.verb, wanted) + "\"",
                         ""};
  }
  const auto verdict = custody::check_quorum(word.action, word.approvals, set, now_ms);
  if (!verdict.reached) {
    std::string problems;
    for (const std::string& one : verdict.problems)
      problems += (problems.empty() ? "" : "; ") + one;
    return QuorumRefusal{Code::kNotAllowed, problems, ""};
  }
  std::string names;
  for (const std::string& one : verdict.approved_by) names += (names.empty() ? "" : ",") + one;
  done.details.emplace_back("approved_by", names);
  done.details.emplace_back("action", custody::hex(custody::action_digest(word.action)));
  return std::nullopt;
}

}  // namespace

bool is_quorum_argument(std::string_view name) noexcept {
  return name == kActionArgument || name == kApprovalArgument;
}

base::Result<std::optional<custody::CustodianSet>> registered_custodians(core::Reader& reader) {
  const auto stored = reader.value(kCustodiansValue);
  if (!stored) return std::unexpected(stored.error());
  if (!*stored || (*stored)->empty()) return std::nullopt;
  try {
    return custody::parse_custodian_set("the register", base::as_text(**stored));
  } catch (const base::StartupError&) {
    return base::fail(Code::kRecordDamaged, "custodians");
  }
}

base::Result<std::optional<QuorumRefusal>> check_word(core::Transaction& tx, const Act& act,
                                                      core::Event& done) {
  CARDVAULT_CHECK(std::ranges::find(custody::kQuorumVerbs, act.verb) !=
                  custody::kQuorumVerbs.end());
  const auto set = registered_custodians(tx);
  if (!set && set.error().code != Code::kRecordDamaged) return std::unexpected(set.error());
  if (!set) {
    return QuorumRefusal{Code::kRecordDamaged,
                         "the record of the custodians is damaged: restore a backup", ""};
  }
  if (!*set) return std::nullopt;
  const std::int64_t now_ms = done.time_ms;
  const auto stored = tx.value(kSpentActionsValue);
  if (!stored) return std::unexpected(stored.error());
  auto spent = still_spent(
      *stored ? std::span<const std::uint8_t>(**stored) : std::span<const std::uint8_t>(), now_ms);
  Word word;
  try {
    if (std::ranges::find(act.arguments, kActionArgument,
                          &std::pair<std::string, std::string>::first) == act.arguments.end()) {
      return ask_for(**set, act, now_ms);
    }
    word = read_word(act);
  } catch (const base::StartupError& problem) {
    return QuorumRefusal{Code::kInvalidArgument, problem.what(), ""};
  }
  const custody::Digest digest = custody::action_digest(word.action);
  if (contains(spent, digest)) {
    return QuorumRefusal{Code::kNotAllowed,
                         "this action was carried out already, and approvals are good for once: "
                         "run the command without --approvals for a new one",
                         ""};
  }
  if (auto refused = judge(**set, act, word, now_ms, done)) return refused;
  spent.insert(spent.end(), digest.begin(), digest.end());
  append_u64(spent, static_cast<std::uint64_t>(word.action.expires_ms));
  if (auto put = tx.put_value(kSpentActionsValue, spent); !put) {
    return std::unexpected(put.error());
  }
  return std::nullopt;
}

}  // namespace cardvault::daemon
