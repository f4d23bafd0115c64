#include "vault/daemon/admin_approvals.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "vault/core/index_fingerprints.h"
#include "vault/core/pan.h"
#include "vault/core/text_form.h"
#include "vault/daemon/admin.h"
#include "vault/daemon/quorum_word.h"

namespace cardvault::daemon {

using base::Code;

namespace {

constexpr std::array<std::string_view, 16> kApprovable = {
    "canary.plant",      "client.add",    "client.change", "client.freeze",
    "client.release",    "client.revoke", "clock.confirm", "customer.freeze",
    "customer.unfreeze", "otp.unlock",    "recipient.add", "recipient.remove",
    "recipient.replace", "token.delete",  "token.freeze",  "token.unfreeze"};

constexpr std::size_t kMaxPlain = 128;

bool plain(std::string_view key, std::string_view value) {
  constexpr std::string_view kMarks = "._:,*@-";
  return key != "customer" && value.size() <= kMaxPlain && !core::contains_pan(value) &&
         std::ranges::all_of(value, [&](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  kMarks.find(c) != std::string_view::npos;
         });
}

base::Result<std::string> value_text(core::Services& services, std::string_view key,
                                     std::string_view value) {
  if (plain(key, value)) return std::string(key) + "=" + std::string(value);
  const auto fps = core::name_fingerprints(services, value);
  if (!fps) return std::unexpected(fps.error());
  return std::string(key) + "#" + core::to_hex(fps->active);
}

// Adds to every event of an act who asked for it first.
class Naming final : public core::EventSink {
 public:
  Naming(core::EventSink& sink, std::string first) : sink_(sink), first_(std::move(first)) {}
  void add(const core::Event& event) override {
    core::Event named = event;
    named.details.emplace_back("requested_by", "operator:" + first_);
    sink_.add(named);
  }
  [[nodiscard]] std::uint64_t next_seq() const override { return sink_.next_seq(); }

 private:
  core::EventSink& sink_;
  std::string first_;
};

std::string others(const std::vector<Operator>& operators, const std::string& self) {
  std::string names;
  for (const Operator& one : operators) {
    if (one.name != self) names += (names.empty() ? "" : " or ") + one.name;
  }
  return names.empty() ? "another operator (none is in [admin] operators)" : names;
}

}  // namespace

std::span<const std::string_view> approvable_verbs() noexcept { return kApprovable; }

base::Result<std::string> act_text(core::Services& services, const wire::AdminRequest& request) {
  auto arguments = request.arguments;
  std::erase_if(arguments, [](const auto& one) { return is_quorum_argument(one.first); });
  std::ranges::sort(arguments);
  std::string text = request.verb;
  for (const auto& [key, value] : arguments) {
    const auto part = value_text(services, key, value);
    if (!part) return part;
    text += " " + *part;
  }
  if (request.blob.empty()) return text;
  const auto bytes = value_text(services, "file", base::as_text(request.blob));
  if (!bytes) return bytes;
  return text + " " + *bytes;
}

bool completes(const core::ApprovalRow& asked, std::string_view operator_name,
               std::int64_t now_ms) noexcept {
  return asked.operator_name != operator_name && asked.created_ms <= now_ms &&
         now_ms < asked.created_ms + kApprovalMs;
}

base::Result<void> AdminService::commit(const Call& call, Decide decide, After after) {
  const auto& two = vault_.config().two_operators;
  if (std::ranges::find(two, call.request.verb) == two.end()) {
    return vault_.commit(std::move(decide), std::move(after));
  }
  const auto act = act_text(vault_.services(), call.request);
  if (!act) return std::unexpected(act.error());
  core::Event asked = event(call);
  asked.operation = "approval.request";
  asked.details = {{"act", *act}};
  std::int64_t waits_since = 0;
  bool again = false;
  const auto decide_alone = [&](core::Transaction& tx,
                                core::EventSink& events) -> base::Result<void> {
    auto row = tx.approval(*act);
    if (!row) return std::unexpected(row.error());
    const std::int64_t now = asked.time_ms;
    if (*row && (*row)->created_ms <= call.word_after_ms) row->reset();
    if (*row && completes(**row, call.operator_name, now)) {
      Naming named(events, (*row)->operator_name);
      auto done = decide(tx, named);
      // Where custodians didn't allow it, the two operators' word holds until they do.
      return done && !call.unapproved ? tx.delete_approval(*act) : done;
    }
    again = *row && now < (*row)->created_ms + kApprovalMs && (*row)->created_ms <= now;
    waits_since = again ? (*row)->created_ms : now;
    if (again) asked.outcome = base::code_name(Code::kApprovalNeeded);
    events.add(asked);
    return again ? base::Result<void>() : tx.put_approval({*act, call.operator_name, now});
  };
  const auto after_alone = [&] {
    if (waits_since == 0 && after) after();
  };
  if (auto ok = vault_.commit(decide_alone, after_alone); !ok) return ok;
  if (waits_since == 0) return {};
  call.waits = std::string(again ? "you have asked for this already; it still waits: "
                                 : "this takes two operators; yours is noted: ") +
               others(vault_.config().operators, call.operator_name) +
               " has to run the same command before " +
               base::format_time(waits_since + kApprovalMs) + " [" + *act + "]";
  return base::fail(Code::kApprovalNeeded, "admin.approve");
}

}  // namespace cardvault::daemon
