// Verbs about clients and customers.
#include <algorithm>
#include <optional>
#include <ranges>

#include "vault/core/card_check.h"
#include "vault/core/record.h"
#include "vault/core/spent_budgets.h"
#include "vault/core/text_form.h"
#include "vault/daemon/admin.h"
#include "vault/daemon/admin_answers.h"
#include "vault/daemon/name_list.h"

namespace cardvault::daemon {

using base::Code;

namespace {

std::string state_of(const core::Client& client) {
  return client.revoked ? "revoked" : client.frozen ? "frozen" : "active";
}

// Those that the vault's own CA issued, if any: they go onto the next revocation list.
base::Result<void> revoke_certificates(core::Transaction& tx, const std::string& client,
                                       std::int64_t now_ms) {
  auto rows = tx.client_certificates();
  if (!rows) return std::unexpected(rows.error());
  for (core::ClientCertificateRow& row : *rows) {
    if (row.client != client || row.revoked_ms != 0) continue;
    row.revoked_ms = now_ms;
    if (auto put = tx.put_client_certificate(row); !put) return put;
  }
  return {};
}

}  // namespace

wire::AdminAnswer AdminService::client_list(const Call& call) {
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  wire::AdminAnswer answer;
  answer.columns = {"client",      "state",   "permissions",      "purposes",
                    "certificate", "created", "reveals per hour", "reveals per day"};
  const core::RevealLimits limits = vault_.services().settings.load()->reveal;
  for (const auto& client : vault_.services().clients.all()) {
    const auto limit = [](std::uint32_t own, std::uint32_t of_all) {
      return std::to_string(own == 0 ? of_all : own);
    };
    answer.rows.push_back({client->id, state_of(*client), join_names(client->permissions.names()),
                           join_names(client->purposes),
                           client->san.empty() ? "spki:" + client->spki_sha256 : client->san,
                           base::format_time(client->created_ms),
                           limit(client->reveals_per_hour, limits.client_per_hour),
                           limit(client->reveals_per_day, limits.client_per_day)});
  }
  return answer;
}

wire::AdminAnswer AdminService::client_change(const Call& call) {
  const std::string& verb = call.request.verb;
  if (!call.argument("serial").empty()) return certificate_revoke(call);
  core::Event done = event(call);
  std::optional<core::Client> client;
  std::optional<Code> refused;
  std::optional<KeyRefusal> unapproved;
  const auto look = [&](const auto& clients) {
    client.reset();
    for (const auto& one : clients) {
      if (one->id == call.argument("id")) client = *one;
    }
    refused.reset();
    if (!client) refused = Code::kNotFound;
    if (client && client->revoked && verb != "client.revoke") refused = Code::kNotAllowed;
    if (client) done.resource = client->id;
    if (refused) done.outcome = base::code_name(*refused);
  };
  const auto refuse = [&] {
    return *refused == Code::kNotFound
               ? refusal(*refused, "no such client: see `cardvault client list`")
               : refusal(*refused, "client '" + client->id + "' is revoked for good");
  };
  look(vault_.services().clients.all());
  if (refused) {
    if (auto ok = record(done); !ok) return failed(ok.error());
    return refuse();
  }
  // As it is stored now: a budget may be freezing this client at the same moment.
  const auto decide = [&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
    auto clients = tx.clients();
    if (!clients) return std::unexpected(clients.error());
    look(*clients | std::views::transform([](const core::Client& one) { return &one; }));
    if (!refused && verb == "client.release" &&
        core::spent_by_restore(vault_.services().reveals, client->id, done.time_ms)) {
      auto allowed = demand_quorum(call, tx, done);
      if (!allowed) return std::unexpected(allowed.error());
      unapproved = std::move(*allowed);
      if (unapproved) done.outcome = base::code_name(unapproved->code);
    }
    events.add(done);
    if (refused || unapproved) return {};
    if (verb == "client.revoke") {
      client->revoked = true;
      if (auto ok = revoke_certificates(tx, client->id, done.time_ms); !ok) return ok;
    } else {
      client->frozen = verb == "client.freeze";
    }
    return tx.put_client(*client);
  };
  const auto after = [&] {
    if (refused || unapproved) return;
    vault_.services().clients.put(*client);
    if (verb == "client.release") vault_.services().reveals.reset(client->id);
  };
  if (auto ok = commit(call, decide, after); !ok) return failed(ok.error());
  if (refused) return refuse();
  if (unapproved) return refusal(unapproved->code, unapproved->text);
  // The vault refuses the client already; its connections end once the gates know too.
  if (verb == "client.revoke" && !vault_.client_ca().changed()) {
    return success("client '" + client->id +
                   "' is revoked; the list for its gates can't be written yet: the vault goes on "
                   "trying");
  }
  return success("client '" + client->id + "' is " + state_of(*client));
}

wire::AdminAnswer AdminService::customer_change(const Call& call) {
  const auto name = customer_fingerprints(call);
  if (!name) return failed(name.error());
  const bool frozen = call.request.verb == "customer.freeze";
  core::Event done = event(call);
  bool found = false;
  bool damaged = false;
  const auto changed =
      commit(call, [&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
        auto row = core::customer_by_name(tx, *name);
        if (!row && row.error().code == Code::kRecordDamaged) {
          damaged = true;  // said to the operator; an error here would latch the store
          done.outcome = base::code_name(Code::kRecordDamaged);
          events.add(done);
          return {};
        }
        if (!row) return std::unexpected(row.error());
        found = row->has_value();
        if (found) {
          done.customer = core::to_hex((*row)->id);
          (*row)->frozen = frozen;
          if (auto ok = tx.update_customer(**row); !ok) return ok;
        } else {
          done.outcome = base::code_name(Code::kNotFound);
        }
        events.add(done);
        return {};
      });
  if (!changed) return failed(changed.error());
  if (damaged) {
    return refusal(Code::kRecordDamaged, "this customer's record is damaged: restore a backup");
  }
  if (!found) return refusal(Code::kNotFound, "the vault holds no card of this customer");
  return success(frozen ? "the customer is frozen: no card of theirs is shown or stored"
                        : "the customer is unfrozen");
}

}  // namespace cardvault::daemon
