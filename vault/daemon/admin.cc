#include "vault/daemon/admin.h"

#include <algorithm>
#include <charconv>

#include "vault/daemon/admin_answers.h"
#include "vault/daemon/backup_verbs.h"

namespace cardvault::daemon {

using base::Code;

const std::map<std::string, AdminService::Handler, std::less<>>& AdminService::handlers() {
  static const std::map<std::string, Handler, std::less<>> kHandlers = {
      {"status", &AdminService::status},
      {"doctor", &AdminService::doctor},
      {"key.list", &AdminService::key_list},
      {"key.rotate", &AdminService::key_rotate},
      {"key.adopt", &AdminService::key_adopt},
      {"key.activate", &AdminService::key_activate},
      {"key.lost", &AdminService::key_lost},
      {"key.replace", &AdminService::key_replace},
      {"key.statement", &AdminService::key_statement},
      {"key.clone", &AdminService::key_clone},
      {"key.cloned", &AdminService::key_cloned},
      {"key.rewrap", &AdminService::key_rewrap},
      {"key.retire", &AdminService::key_retire},
      {"key.destroy", &AdminService::key_destroy},
      {"key.keep", &AdminService::key_keep},
      {"key.destroyed", &AdminService::key_destroyed},
      {"client.add", &AdminService::client_add},
      {"client.change", &AdminService::client_rights},
      {"client.list", &AdminService::client_list},
      {"client.revoke", &AdminService::client_change},
      {"client.ca", &AdminService::client_ca},
      {"client.enroll", &AdminService::client_enroll},
      {"client.certificates", &AdminService::client_certificates},
      {"client.freeze", &AdminService::client_change},
      {"client.release", &AdminService::client_change},
      {"customer.freeze", &AdminService::customer_change},
      {"customer.unfreeze", &AdminService::customer_change},
      {"bin.import", &AdminService::bin_import},
      {"bin.lookup", &AdminService::bin_lookup},
      {"token.inspect", &AdminService::token_inspect},
      {"token.freeze", &AdminService::token_change},
      {"token.unfreeze", &AdminService::token_change},
      {"token.delete", &AdminService::token_change},
      {"audit.tail", &AdminService::audit_tail},
      {"audit.find", &AdminService::audit_names},
      {"audit.fingerprint", &AdminService::audit_names},
      {"audit.report", &AdminService::audit_names},
      {"audit.evidence", &AdminService::audit_evidence},
      {"backup", &AdminService::backup},
      {"clock.confirm", &AdminService::clock_confirm},
      {"reload", &AdminService::reload},
      {"recipient.add", &AdminService::recipient_add},
      {"recipient.replace", &AdminService::recipient_replace},
      {"recipient.remove", &AdminService::recipient_remove},
      {"recipient.list", &AdminService::recipient_list},
      {"otp.status", &AdminService::otp_status},
      {"otp.unlock", &AdminService::otp_unlock},
      {"canary.plant", &AdminService::canary_plant},
      {"canary.list", &AdminService::canary_list},
      {"jwks", &AdminService::jwks},
      {"custodians.register", &AdminService::custodians_register},
      {"custodians.list", &AdminService::custodians_list},
      {"custodians.draft", &AdminService::custodians_draft},
      {"gate.approve", &AdminService::gate_approve},
      {"seal", &AdminService::seal},
      {"unseal.share", &AdminService::unseal_status},
      {"unseal.status", &AdminService::unseal_status}};
  return kHandlers;
}

AdminService::AdminService(Vault& vault, Hooks hooks)
    : vault_(vault), hooks_(std::move(hooks)), rewrapper_(vault) {}

std::string AdminService::Call::argument(std::string_view name) const {
  for (const auto& [key, value] : request.arguments) {
    if (key == name) return value;
  }
  return "";
}

bool AdminService::Call::has(std::string_view name) const {
  return std::ranges::find(request.arguments, name, &std::pair<std::string, std::string>::first) !=
         request.arguments.end();
}

std::uint64_t AdminService::Call::number(std::string_view name, std::uint64_t fallback) const {
  const std::string text = argument(name);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && error == std::errc() && end == text.data() + text.size() ? value
                                                                                   : fallback;
}

wire::AdminAnswer refusal(Code code, std::string message) {
  wire::AdminAnswer answer;
  answer.ok = false;
  answer.code = code;
  answer.message = std::move(message);
  return answer;
}

wire::AdminAnswer failed(const base::Error& error) {
  switch (error.code) {
    case Code::kTokenNotFound:
      return refusal(error.code, "no such token");
    case Code::kInvalidToken:
      return refusal(error.code,
                     "that is not a token: tok_ and 26 characters, or 19 digits from 7");
    case Code::kNotFound:
      return refusal(error.code, "not found");
    case Code::kStorageFull:
      return refusal(error.code, "the disk is full: free space, the vault goes on by itself");
    case Code::kInvalidCustomer:
      return refusal(error.code, "that is no customer's identifier");
    case Code::kRecordDamaged:
      return refusal(error.code, std::string("a record is damaged (") + error.operation +
                                     "): restore a backup");
    case Code::kHsmUnavailable:
      return refusal(error.code, "the HSM does not answer: see `cardvault doctor`");
    default:
      return refusal(error.code, std::string(base::code_name(error.code)) + " in " +
                                     error.operation + " (" + std::to_string(error.number) + ")");
  }
}

wire::AdminAnswer success(std::string message) {
  wire::AdminAnswer answer;
  answer.message = std::move(message);
  return answer;
}

core::Event AdminService::event(const Call& call) const {
  core::Event event = vault_.system_event(call.request.verb);
  event.actor = "operator:" + call.operator_name;
  event.gate = "admin";
  return event;
}

void AdminService::refuse_stranger(std::uint32_t uid) {
  core::Event event = vault_.system_event("admin.connect");
  event.actor = "uid:" + std::to_string(uid);
  event.gate = "admin";
  event.outcome = base::code_name(Code::kNotAllowed);
  vault_.announce({std::move(event)});
}

wire::AdminAnswer AdminService::run(wire::AdminRequest& request, const std::string& operator_name,
                                    const Emit& emit) {
  std::string waits;
  std::string action;
  bool unapproved = false;
  std::int64_t word_after_ms = 0;
  const Call call{request, operator_name, emit, waits, action, unapproved, word_after_ms};
  if (!request.operator_name.empty() && request.operator_name != operator_name) {
    return refusal(Code::kNotAllowed, "this user is operator '" + operator_name + "', not '" +
                                          request.operator_name + "'");
  }
  if (request.verb.starts_with("backup.")) {
    return run_backup_verb(vault_, request, operator_name, emit);
  }
  const auto handler = handlers().find(request.verb);
  if (handler == handlers().end()) {
    return refusal(Code::kInvalidArgument, "this vault does not know '" + request.verb +
                                               "': the tool and the daemon differ in version");
  }
  wire::AdminAnswer answer = (this->*handler->second)(call);
  if (!waits.empty()) return refusal(Code::kApprovalNeeded, std::move(waits));
  if (!action.empty()) {
    answer.columns = {"action"};
    answer.rows = {{std::move(action)}};
  }
  return answer;
}

wire::AdminAnswer AdminService::reload(const Call& call) {
  const auto said = hooks_.reload(event(call));
  return said ? success(*said) : refusal(Code::kInvalidArgument, said.error());
}

wire::AdminAnswer AdminService::clock_confirm(const Call& call) {
  core::Event done = event(call);
  // Nor is a word for it noted, as with a client's release.
  if (vault_.clock().trusted()) {
    done.outcome = base::code_name(Code::kNotAllowed);
    if (auto ok = record(done); !ok) return failed(ok.error());
    return refusal(Code::kNotAllowed, "the clock is trusted: there is nothing to confirm");
  }
  done.details.emplace_back("offset_ms", std::to_string(vault_.clock().offset_ms()));
  const auto decide = [&](core::Transaction&, core::EventSink& events) -> base::Result<void> {
    events.add(done);
    return {};
  };
  if (auto ok = commit(call, decide); !ok) return failed(ok.error());
  vault_.clock().confirm();
  vault_.save_state();
  return success("the clock is trusted again; vault time is " +
                 base::format_time(vault_.clock().now_ms()));
}

}  // namespace cardvault::daemon
