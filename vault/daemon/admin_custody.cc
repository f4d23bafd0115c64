// Verbs about the custodians: who they are, and the bounds that they approve.
#include <algorithm>
#include <array>
#include <optional>

#include "vault/custody/digest.h"
#include "vault/daemon/admin.h"
#include "vault/daemon/admin_answers.h"
#include "vault/daemon/bounds.h"
#include "vault/daemon/quorum_word.h"

namespace cardvault::daemon {

using base::Code;

namespace {

std::string names_of(const custody::CustodianSet& set) {
  std::string out;
  for (const auto& one : set.custodians) out += (out.empty() ? "" : ",") + one.name;
  return out;
}

}  // namespace

base::Result<std::optional<KeyRefusal>> AdminService::demand_quorum(const Call& call,
                                                                    core::Transaction& tx,
                                                                    core::Event& done) {
  if (!vault_.clock().trusted()) {
    const auto set = registered_custodians(tx);
    if (set && !*set) return std::nullopt;
    call.unapproved = true;
    return KeyRefusal{Code::kClockSuspect,
                      "the clock is in doubt, and approvals expire by it: `cardvault clock "
                      "confirm` first"};
  }
  auto refused = check_word(tx, {call.request.verb, call.request.arguments}, done);
  if (!refused) return std::unexpected(refused.error());
  if (!*refused) return std::nullopt;
  call.unapproved = true;
  call.action = std::move((*refused)->action);
  return KeyRefusal{(*refused)->code, std::move((*refused)->text)};
}

// The register comes as the request's bytes; the argument "digest" is of its text before the
// signatures, so that an action names exactly one register.
wire::AdminAnswer AdminService::custodians_register(const Call& call) {
  const core::KeyRef signer = vault_.services().keys.get(core::KeyPurpose::kAuditSign);
  const auto own_key = vault_.token().public_key(signer);
  if (!own_key) return failed(own_key.error());
  custody::CustodianSet set;
  try {
    set = custody::parse_custodian_set("the register", base::as_text(call.request.blob));
  } catch (const base::StartupError& problem) {
    return refusal(Code::kInvalidArgument, problem.what());
  }
  const std::string body = custody::set_body(set);
  const std::string digest = custody::hex(custody::sha256(body));
  if (call.argument("digest") != digest) {
    return refusal(Code::kInvalidArgument,
                   "the register's digest is " + digest + ", not what the request says");
  }
  // One that custodians drew up without a ceremony: the vault's own signature comes here.
  if (std::ranges::find(set.signatures, "audit-sign", &custody::Signed::by) ==
      set.signatures.end()) {
    auto signature =
        vault_.token().sign(signer, base::as_bytes(custody::signed_message("custodians", body)));
    if (!signature) return failed(signature.error());
    set.signatures.insert(set.signatures.begin(), {"audit-sign", std::move(*signature)});
  }
  std::string problems;
  for (const std::string& one : custody::check_signatures(set, *own_key)) {
    problems += (problems.empty() ? "" : "; ") + one;
  }
  if (!problems.empty()) return refusal(Code::kNotAllowed, "the register is not good: " + problems);
  core::Event done = event(call);
  done.resource = set.vault;
  done.details = {
      {"needed", std::to_string(set.needed)}, {"custodians", names_of(set)}, {"digest", digest}};
  const ActArguments bounds = *vault_.bounds();
  std::optional<KeyRefusal> refused;
  const auto decide = [&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
    const auto before = registered_custodians(tx);
    if (!before) return std::unexpected(before.error());
    if (*before && (*before)->vault != set.vault) {
      refused = KeyRefusal{Code::kNotAllowed, "the register is of the vault " + set.vault +
                                                  ", and this vault is " + (*before)->vault};
    } else if (*before) {
      auto allowed = demand_quorum(call, tx, done);
      if (!allowed) return std::unexpected(allowed.error());
      refused = std::move(*allowed);
      if (!refused) done.details.emplace_back("before", names_of(**before));
    } else if (auto put = tx.put_value(kBoundsValue, base::as_bytes(encode_bounds(bounds))); !put) {
      return put;
    }
    if (refused) done.outcome = base::code_name(refused->code);
    events.add(done);
    if (refused) return {};
    return tx.put_value(kCustodiansValue, base::as_bytes(custody::encode(set)));
  };
  if (auto ok = commit(call, decide); !ok) return failed(ok.error());
  if (refused) return refusal(refused->code, refused->text);
  wire::AdminAnswer answer =
      success("from now on the vault asks " + std::to_string(set.needed) + " of " + names_of(set) +
              " for keys, clients' rights and gates' ceilings");
  answer.columns = {"register"};  // with the vault's own signature, for the custodians' papers
  answer.rows = {{custody::encode(set)}};
  return answer;
}

wire::AdminAnswer AdminService::custodians_list(const Call& call) {
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  const auto reader = vault_.store().make_reader();
  if (!reader) return failed(reader.error());
  const auto set = registered_custodians(**reader);
  if (!set) return failed(set.error());
  if (!*set) {
    return refusal(Code::kNotFound,
                   "this vault has no custodians: what needs their quorum elsewhere is done on one "
                   "operator's word. `cardvault custodian register` registers them");
  }
  wire::AdminAnswer answer =
      success("vault " + (*set)->vault + ": " + std::to_string((*set)->needed) + " of " +
              std::to_string((*set)->custodians.size()) + " approve");
  answer.columns = {"custodian", "key"};
  for (const auto& one : (*set)->custodians) {
    answer.rows.push_back({one.name, custody::public_key_text(one.key)});
  }
  return answer;
}

// A register as it would be, for its custodians to sign: of this vault, with its log's key.
wire::AdminAnswer AdminService::custodians_draft(const Call& call) {
  constexpr std::string_view kCustodian = "custodian.";
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  const auto own_key =
      vault_.token().public_key(vault_.services().keys.get(core::KeyPurpose::kAuditSign));
  if (!own_key) return failed(own_key.error());
  const auto reader = vault_.store().make_reader();
  if (!reader) return failed(reader.error());
  const auto before = registered_custodians(**reader);
  if (!before) return failed(before.error());
  custody::CustodianSet set;
  if (*before) {
    set.vault = (*before)->vault;
  } else {
    std::array<std::uint8_t, 8> id{};
    custody::fill_random(id);
    set.vault = custody::hex(id);
  }
  set.needed = static_cast<unsigned>(call.number("needed", 0));
  set.audit_key = *own_key;
  for (const auto& [name, value] : call.request.arguments) {
    if (!name.starts_with(kCustodian)) continue;
    const auto key = custody::parse_public_key(value);
    if (!key) {
      return refusal(Code::kInvalidArgument,
                     name.substr(kCustodian.size()) +
                         ": no public key, as `cardvault custodian key show` prints it");
    }
    set.custodians.push_back({name.substr(kCustodian.size()), *key});
  }
  std::string text = custody::encode(set);
  try {
    static_cast<void>(custody::parse_custodian_set("the register", text));
  } catch (const base::StartupError& problem) {
    return refusal(Code::kInvalidArgument, problem.what());
  }
  wire::AdminAnswer answer;
  answer.columns = {"register"};
  answer.rows = {{std::move(text)}};
  return answer;
}

// What the request says becomes the bounds of what vault.toml may allow.
wire::AdminAnswer AdminService::gate_approve(const Call& call) {
  ActArguments bounds;
  for (const auto& one : call.request.arguments) {
    if (!is_quorum_argument(one.first)) bounds.push_back(one);
  }
  std::ranges::sort(bounds);
  core::Event done = event(call);
  for (const auto& one : bounds) done.details.push_back(one);
  std::optional<KeyRefusal> refused;
  const auto decide = [&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
    const auto set = registered_custodians(tx);
    if (!set) return std::unexpected(set.error());
    if (!*set) {
      refused =
          KeyRefusal{Code::kNotFound, "this vault has no custodians: `cardvault reload` is enough"};
    } else {
      auto allowed = demand_quorum(call, tx, done);
      if (!allowed) return std::unexpected(allowed.error());
      refused = std::move(*allowed);
    }
    if (refused) done.outcome = base::code_name(refused->code);
    events.add(done);
    if (refused) return {};
    return tx.put_value(kBoundsValue, base::as_bytes(encode_bounds(bounds)));
  };
  if (auto ok = commit(call, decide); !ok) return failed(ok.error());
  if (refused) return refusal(refused->code, refused->text);
  return success("approved; `cardvault reload`, or the vault's start, puts it in force");
}

}  // namespace cardvault::daemon
