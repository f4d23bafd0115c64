#include "vault/daemon/sealed_vault.h"

#include <algorithm>

#include "vault/base/log.h"
#include "vault/daemon/admin_answers.h"
#include "vault/daemon/announcement.h"
#include "vault/daemon/commit_and_wait.h"
#include "vault/daemon/stored_state.h"
#include "vault/daemon/vault.h"

namespace cardvault::daemon {

using base::Code;
using custody::SecretName;

namespace {

constexpr unsigned kFloodTicks = 10;

custody::ShareRegister shares_in(const std::string& folder) {
  const std::string path = custody::newest_transcript(folder);
  if (path.empty()) {
    throw base::StartupError(folder +
                             " has no transcript.N of the ceremony: without it no share can be "
                             "told from a bad one. Put it back from its copy, or name its folder "
                             "in [unseal] custody");
  }
  return custody::ShareRegister(custody::parse_transcript(path, custody::read_text_file(path)));
}

std::string of_needed(std::size_t entered, unsigned needed) {
  return std::to_string(entered) + " of " + std::to_string(needed);
}

}  // namespace

SealedVault::SealedVault(const Config& config, std::function<void()> complete)
    : config_(config), complete_(std::move(complete)) {
  store::StoreOptions options;
  options.now_ms = [this] {
    const base::Clock* clock = store_clock_.load();
    return clock != nullptr ? clock->now_ms() : core::VaultClock::system_sources().wall_ms();
  };
  store_ = store::SqliteStore::open(config_.data_dir, std::move(options));
  clock_ = open_vault_clock(*store_, config_.max_offline_ms);
  store_clock_ = clock_.get();
  const auto current = shares_in(config_.unseal.custody_dir).current(SecretName::kUserPin);
  if (current.empty()) {
    throw base::StartupError(config_.unseal.custody_dir +
                             ": its newest transcript records no shares of user-pin, and [unseal] "
                             "by is \"custodians\": nobody could ever open this vault");
  }
  needed_ = current[0].label.threshold;
  static_cast<void>(record(event("sealed", "system")));
  // Before a gate can say that the vault is sealed: whoever hears that finds the socket.
  server_ = std::make_unique<AdminServer>(config_.admin_socket, *this, config_.operators);
  for (const GateConfig& gate : config_.gates) {
    links_.emplace_back(
        gate,
        [](const core::Ceiling&, wire::GateRequest, Engine::Reply reply) {
          reply(core::Response::unaudited({Code::kSealed, core::retry_after_s(Code::kSealed)}));
        },
        floods_, outboxes_,
        [] {
          core::ReadyAnswer answer;
          answer.state = base::code_name(Code::kSealed);
          return answer;
        });
  }
  // Nothing of this is touched here any more: its threads take shares from now on.
  server_->start();
  base::log(base::Level::kNotice, "cardvaultd is sealed: `cardvault unseal` opens it",
            {{"shares", std::to_string(current[0].label.threshold)}});
}

SealedVault::~SealedVault() {
  for (GateLink& link : links_) link.stop_reading();
  server_.reset();
  finish(links_);
  store_->stop();
}

core::Event SealedVault::event(const std::string& operation, const std::string& actor) const {
  core::Event out;
  out.time_ms = clock_->now_ms();
  out.actor = actor;
  out.operation = operation;
  if (actor != "system") out.gate = "admin";
  return out;
}

base::Result<void> SealedVault::record(core::Event event) {
  return commit_and_wait(store_->committer(),
                         [&](core::Transaction&, core::EventSink& events) -> base::Result<void> {
                           events.add(event);
                           return {};
                         });
}

void SealedVault::refuse_stranger(std::uint32_t uid) {
  core::Event refused = event("admin.connect", "uid:" + std::to_string(uid));
  refused.gate = "admin";
  refused.outcome = base::code_name(Code::kNotAllowed);
  store_->committer().submit(
      std::make_unique<Announcement>(std::vector<core::Event>{std::move(refused)}));
}

base::Result<SealedVault::Failures> SealedVault::failures() {
  auto reader = store_->make_reader();
  if (!reader) return std::unexpected(reader.error());
  const auto stored = (*reader)->value(kUnsealFailuresValue);
  if (!stored) return std::unexpected(stored.error());
  if (!*stored || (*stored)->size() != 16) return Failures{};
  return Failures{read_u64(**stored),
                  static_cast<std::int64_t>(read_u64(std::span(**stored).subspan(8)))};
}

base::Result<void> SealedVault::put_failures(core::Event event, Failures failures) {
  std::vector<std::uint8_t> value;
  append_u64(value, failures.count);
  append_u64(value, static_cast<std::uint64_t>(failures.locked_until_ms));
  return commit_and_wait(store_->committer(),
                         [&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
                           events.add(event);
                           return tx.put_value(kUnsealFailuresValue, value);
                         });
}

void SealedVault::let_go_of_old_shares() {
  if (!entered_.drop_old(std::chrono::steady_clock::now())) return;
  last_problem_ = "the shares entered before waited longer than 10 minutes and were wiped";
  base::log(base::Level::kNotice, "shares of the PIN waited too long and were wiped");
}

wire::AdminAnswer SealedVault::refuse_share(core::Event done, Code code, const std::string& why,
                                            bool counts) {
  done.outcome = base::code_name(code);
  if (!counts) {
    if (auto ok = record(done); !ok) return failed(ok.error());
    return refusal(code, why);
  }
  auto so_far = failures();
  if (!so_far) return failed(so_far.error());
  std::string told = why;
  if (++so_far->count >= kMostFailures) {
    so_far->count = 0;
    so_far->locked_until_ms = clock_->now_ms() + kLockMs;
    entered_.clear();
    told += "; that was one too many: no share is taken before " +
            base::format_time(so_far->locked_until_ms);
    done.details.emplace_back("locked_until", base::format_time(so_far->locked_until_ms));
  } else {
    told += "; " + std::to_string(kMostFailures - so_far->count) + " tries are left";
  }
  if (auto ok = put_failures(done, *so_far); !ok) return failed(ok.error());
  return refusal(code, told);
}

wire::AdminAnswer SealedVault::accept_share(core::Event done, custody::Share share,
                                            const custody::KnownShare& known) {
  needed_ = known.label.threshold;
  done.resource = std::string(custody::secret_name(SecretName::kUserPin));
  done.details = {{"custodian", known.custodian},
                  {"generation", std::to_string(known.label.generation)},
                  {"index", std::to_string(known.label.index)},
                  {"entered", of_needed(entered_.size() + 1, needed_)}};
  if (auto ok = record(done); !ok) return failed(ok.error());
  entered_.add(std::move(share), std::chrono::steady_clock::now());
  last_problem_.clear();
  wire::AdminAnswer answer =
      success(known.custodian + "'s share is good: " + of_needed(entered_.size(), needed_));
  answer.columns = {"entered", "needed"};
  answer.rows = {{std::to_string(entered_.size()), std::to_string(needed_)}};
  if (entered_.size() < needed_) return answer;
  pin_ = entered_.combine();
  complete_();
  return answer;
}

wire::AdminAnswer SealedVault::take_share(const wire::AdminRequest& request,
                                          const std::string& operator_name) {
  core::Event done = event("unseal.share", "operator:" + operator_name);
  if (pin_) return refusal(Code::kConflict, "enough shares are there: the vault is opening");
  let_go_of_old_shares();
  const auto so_far = failures();
  if (!so_far) return failed(so_far.error());
  if (so_far->locked_until_ms > clock_->now_ms()) {
    return refuse_share(std::move(done), Code::kLocked,
                        "after " + std::to_string(kMostFailures) +
                            " wrong shares none is taken before " +
                            base::format_time(so_far->locked_until_ms),
                        false);
  }
  auto share = custody::decode_share(request.blob);
  if (!share) {
    return refuse_share(std::move(done), Code::kVerificationFailed, "that is no share", true);
  }
  try {
    const auto shares = shares_in(config_.unseal.custody_dir);
    const auto known = shares.check(*share, SecretName::kUserPin, entered_.all());
    if (known) return accept_share(std::move(done), std::move(*share), *known);
    done.details = {{"fault", "share"}, {"index", std::to_string(share->label.index)}};
    return refuse_share(std::move(done), Code::kVerificationFailed,
                        custody::explain(known.error(), share->label),
                        known.error() != custody::ShareFault::kTwice);
  } catch (const base::StartupError& problem) {
    return refuse_share(std::move(done), Code::kNotFound, problem.what(), false);
  }
}

wire::AdminAnswer SealedVault::status(bool as_doctor) {
  let_go_of_old_shares();
  const auto so_far = failures();
  const bool locked = so_far && so_far->locked_until_ms > clock_->now_ms();
  const std::string how =
      std::string("the vault is sealed: ") + of_needed(entered_.size(), needed_) +
      " custodians' shares are there" + (last_problem_.empty() ? "" : "; " + last_problem_) +
      (locked ? "; no share is taken before " + base::format_time(so_far->locked_until_ms) : "");
  wire::AdminAnswer answer;
  if (as_doctor) {
    answer.columns = {"severity", "what", "what to do"};
    answer.rows = {{"error", how, "`cardvault unseal`, with each custodian in turn"}};
    return answer;
  }
  answer.columns = {"field", "value"};
  answer.rows = {{"state", pin_ ? "opening" : "sealed"},
                 {"entered", std::to_string(entered_.size())},
                 {"needed", std::to_string(needed_)}};
  if (locked) answer.rows.push_back({"locked until", base::format_time(so_far->locked_until_ms)});
  if (!last_problem_.empty()) answer.rows.push_back({"problem", last_problem_});
  answer.message = how;
  return answer;
}

wire::AdminAnswer SealedVault::run(wire::AdminRequest& request, const std::string& operator_name,
                                   const Emit& /*emit*/) {
  if (!request.operator_name.empty() && request.operator_name != operator_name) {
    return refusal(Code::kNotAllowed, "this user is operator '" + operator_name + "', not '" +
                                          request.operator_name + "'");
  }
  const std::scoped_lock lock(mutex_);
  if (request.verb == "unseal.share") return take_share(request, operator_name);
  const bool asks = request.verb == "unseal.status" || request.verb == "status";
  if (asks || request.verb == "doctor" || request.verb == "seal") {
    if (auto ok = record(event(request.verb, "operator:" + operator_name)); !ok) {
      return failed(ok.error());
    }
    if (request.verb == "seal") {
      entered_.clear();
      return success("the vault is sealed; shares that were entered are wiped");
    }
    return status(request.verb == "doctor");
  }
  return refusal(Code::kSealed, "the vault is sealed: `cardvault unseal` first");
}

std::optional<base::SecretBuffer> SealedVault::take_pin() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(pin_, std::nullopt);
}

void SealedVault::token_refused() {
  const std::scoped_lock lock(mutex_);
  last_problem_ =
      "the token refused the PIN that the custodians' shares gave: it was changed since their "
      "ceremony. Look at the token before trying again: it may lock itself";
  core::Event refused = event("unseal", "system");
  refused.outcome = base::code_name(Code::kHsmPinRefused);
  auto so_far = failures();
  if (so_far) {
    ++so_far->count;
    static_cast<void>(put_failures(std::move(refused), *so_far));
  }
}

void SealedVault::tick() {
  {
    const std::scoped_lock lock(mutex_);
    let_go_of_old_shares();
  }
  if (++ticks_ % kFloodTicks != 0) return;
  auto events = floods_.take(clock_->now_ms());
  if (events.empty()) return;
  store_->committer().submit(std::make_unique<Announcement>(std::move(events)));
}

}  // namespace cardvault::daemon
