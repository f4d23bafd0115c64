// Verbs about clients and customers.
#include <algorithm>
#include <optional>
#include <ranges>

#include "vault/core/card_check.h"
#include "vault/core/client_freeze.h"
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
  const auto spent_by_restore = [&](const std::string& id) {
    return core::spent_by_restore(vault_.services().reveals, id, done.time_ms);
  };
  // A word for a release that is not needed yet would let one operator alone undo the next freeze.
  const auto to_be_released = [&](const core::Client& one) {
    return one.frozen || spent_by_restore(one.id);
  };
  const auto look = [&](const auto& clients) {
    client.reset();
    for (const auto& one : clients) {
      if (one->id == call.argument("id")) client = *one;
    }
    refused.reset();
    if (!client) refused = Code::kNotFound;
    if (client && client->revoked && verb != "client.revoke") refused = Code::kNotAllowed;
    if (client && verb == "client.release" && !to_be_released(*client)) {
      refused = Code::kNotAllowed;
    }
    if (client) done.resource = client->id;
    if (refused) done.outcome = base::code_name(*refused);
  };
  const auto refuse = [&] {
    if (!client) return refusal(*refused, "no such client: see `cardvault client list`");
    return refusal(*refused,
                   "client '" + client->id +
                       (client->revoked ? "' is revoked for good"
                                        : "' is not frozen: there is nothing to release"));
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
    if (!refused && verb == "client.release" && spent_by_restore(client->id)) {
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
    }
    if (verb == "client.freeze") return core::freeze_client(tx, *client);
    if (verb == "client.release") client->frozen = false;
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
  std::optional<core::CustomerRow> row;
  std::optional<Code> refused;
  const auto look = [&](core::Reader& reader) -> base::Result<void> {
    auto found = core::customer_by_name(reader, *name);
    // Said to the operator; an error here would latch the store.
    const bool damaged = !found && found.error().code == Code::kRecordDamaged;
    if (!found && !damaged) return std::unexpected(found.error());
    row = damaged ? std::nullopt : std::move(*found);
    refused.reset();
    if (damaged) {
      refused = Code::kRecordDamaged;
    } else if (!row) {
      refused = Code::kNotFound;
    } else if (!frozen && !row->frozen) {
      refused = Code::kNotAllowed;  // nor is a word for it noted, as with a client's release
    }
    if (row) done.customer = core::to_hex(row->id);
    if (refused) done.outcome = base::code_name(*refused);
    return {};
  };
  const auto refuse = [&] {
    switch (*refused) {
      case Code::kRecordDamaged:
        return refusal(*refused, "this customer's record is damaged: restore a backup");
      case Code::kNotFound:
        return refusal(*refused, "the vault holds no card of this customer");
      default:
        return refusal(*refused, "the customer is not frozen: there is nothing to unfreeze");
    }
  };
  auto reader = vault_.store().make_reader();
  if (!reader) return failed(reader.error());
  if (auto ok = look(**reader); !ok) return failed(ok.error());
  if (refused) {
    if (auto ok = record(done); !ok) return failed(ok.error());
    return refuse();
  }
  const auto decide = [&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
    if (auto ok = look(tx); !ok) return ok;
    events.add(done);
    if (refused) return {};
    row->frozen = frozen;
    return tx.update_customer(*row);
  };
  if (auto ok = commit(call, decide); !ok) return failed(ok.error());
  if (refused) return refuse();
  return success(frozen ? "the customer is frozen: no card of theirs is revealed or stored, and no "
                          "code, password or quick code of theirs is taken; masked data is shown"
                        : "the customer is unfrozen");
}

}  // namespace cardvault::daemon
