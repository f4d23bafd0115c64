// Verbs about a customer's wrong codes and passwords.
#include <algorithm>

#include "vault/core/attempt_status.h"
#include "vault/core/card_check.h"
#include "vault/core/index_fingerprints.h"
#include "vault/core/text_form.h"
#include "vault/daemon/admin.h"
#include "vault/daemon/admin_answers.h"

namespace cardvault::daemon {

using base::Code;

namespace {

std::string time_or_none(std::int64_t ms) { return ms == 0 ? "" : base::format_time(ms); }

// Whose counters: of a stored customer, or of the slot of one that is not.
base::Result<core::GuardKey> guard_key(core::Reader& reader, const core::IndexFingerprints& name,
                                       core::Event& event) {
  const auto row = core::customer_by_name(reader, name);
  if (!row) return std::unexpected(row.error());
  if (!*row) return core::GuardKey::slot(name.active);
  event.customer = core::to_hex((*row)->id);
  return core::GuardKey::of(**row);
}

bool none_counted(const core::AttemptStatus& status) {
  return status.failures == 0 && std::ranges::all_of(status.scopes, [](const auto& scope) {
           return scope.failures == 0 && scope.locked_until_ms == 0;
         });
}

}  // namespace

base::Result<core::IndexFingerprints> AdminService::customer_fingerprints(const Call& call) {
  const base::SecretText name(call.argument("customer"));
  if (!core::check_customer(name.expose())) {
    return base::fail(Code::kInvalidCustomer, "admin.customer");
  }
  return core::name_fingerprints(vault_.services(), name.expose());
}

wire::AdminAnswer AdminService::otp_status(const Call& call) {
  const auto fp = customer_fingerprints(call);
  if (!fp) return failed(fp.error());
  auto reader = vault_.store().make_reader();
  if (!reader) return failed(reader.error());
  core::Event done = event(call);
  const auto who = guard_key(**reader, *fp, done);
  const auto status = who ? core::attempt_status(**reader, *who, *vault_.services().settings.load(),
                                                 vault_.clock().now_ms())
                          : std::unexpected(who.error());
  if (!status) done.outcome = base::code_name(status.error().code);
  if (auto ok = record(done); !ok) return failed(ok.error());
  if (!status) return failed(status.error());
  wire::AdminAnswer answer;
  answer.columns = {"scope", "failures", "locked until", "sent", "last sent"};
  for (const auto& scope : status->scopes) {
    const bool locked = scope.locked_until_ms > vault_.clock().now_ms();
    answer.rows.push_back({scope.scope, std::to_string(scope.failures),
                           locked ? base::format_time(scope.locked_until_ms) : "",
                           std::to_string(scope.sends), time_or_none(scope.last_send_ms)});
  }
  answer.rows.push_back({"total", std::to_string(status->failures),
                         status->blocked ? "`cardvault otp unlock`" : "", "", ""});
  return answer;
}

wire::AdminAnswer AdminService::otp_unlock(const Call& call) {
  const auto fp = customer_fingerprints(call);
  if (!fp) return failed(fp.error());
  core::Event done = event(call);
  auto reader = vault_.store().make_reader();
  if (!reader) return failed(reader.error());
  const auto key = guard_key(**reader, *fp, done);
  const auto status =
      key ? core::attempt_status(**reader, *key, *vault_.services().settings.load(), done.time_ms)
          : std::unexpected(key.error());
  // Nor is a word for it noted, as with a client's release.
  if (status && none_counted(*status)) {
    done.outcome = base::code_name(Code::kNotAllowed);
    if (auto ok = record(done); !ok) return failed(ok.error());
    return refusal(Code::kNotAllowed,
                   "no wrong try is counted against this customer: there is nothing to unlock");
  }
  // A word covers the tries that were counted when it was given: one kept from an earlier lock
  // would let one operator alone undo the next.
  if (status) call.word_after_ms = status->last_failure_ms;
  bool damaged = false;
  const auto decide = [&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
    auto who = guard_key(tx, *fp, done);
    const auto unlocked =
        who ? core::unlock_attempts(tx, *who) : base::Result<void>(std::unexpected(who.error()));
    damaged = !unlocked && unlocked.error().code == Code::kRecordDamaged;
    if (!unlocked && !damaged) return unlocked;
    if (damaged) done.outcome = base::code_name(Code::kRecordDamaged);
    events.add(done);
    return {};
  };
  if (auto ok = commit(call, decide); !ok) return failed(ok.error());
  if (damaged) {
    return refusal(Code::kRecordDamaged, "this customer's record is damaged: restore a backup");
  }
  return success("no lock and no wrong try is counted against this customer any more");
}

}  // namespace cardvault::daemon
