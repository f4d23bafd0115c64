// Verbs about clients that the vault's own CA enrolls.
#include <algorithm>
#include <optional>

#include "vault/core/text_form.h"
#include "vault/daemon/admin.h"
#include "vault/daemon/admin_answers.h"
#include "vault/pki/issue.h"

namespace cardvault::daemon {

using base::Code;
using core::ClientCertificateRow;

namespace {

constexpr std::uint32_t kMaxDays = 398;
// The one in use, and the one that takes over from it.
constexpr std::size_t kAtOnce = 2;

bool counts(const ClientCertificateRow& row, std::int64_t now_ms) {
  return row.revoked_ms == 0 && row.not_after_ms > now_ms;
}

std::string state_of(const ClientCertificateRow& row, std::int64_t now_ms) {
  return row.revoked_ms != 0 ? "revoked" : row.not_after_ms <= now_ms ? "ended" : "valid";
}

std::string missing_ca() {
  return "this vault has no client-ca key yet: `cardvault key rotate client-ca` makes it";
}

// Why a client is enrolled no further, as its row and its certificates are now.
std::optional<std::string> obstacle(const core::Client* client,
                                    const std::vector<ClientCertificateRow>& rows,
                                    const ClientCertificateRow& wanted, std::int64_t now_ms) {
  const std::string& id = wanted.client;
  if (client == nullptr) {
    return "no such client: `cardvault client add " + id + " --enrolled --permissions ...` first";
  }
  if (client->revoked) return "client '" + id + "' is revoked for good";
  if (client->frozen) return "client '" + id + "' is frozen: release it first";
  if (!client->spki_sha256.empty() && client->spki_sha256 != wanted.spki_sha256) {
    return "client '" + id +
           "' is registered by its key, and this request has another one: let it make the request "
           "with the key it has";
  }
  const auto valid = std::ranges::count_if(rows, [&](const ClientCertificateRow& row) {
    return row.client == id && counts(row, now_ms);
  });
  if (static_cast<std::size_t>(valid) < kAtOnce) return std::nullopt;
  return "client '" + id +
         "' has two valid certificates already: wait for one to end, or `cardvault client revoke " +
         id + " --serial SERIAL` one of `cardvault client certificates`";
}

}  // namespace

wire::AdminAnswer AdminService::client_ca(const Call& call) {
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  const auto active = vault_.client_ca().active();
  if (!active && active.error().code == Code::kKeyMissing) {
    return refusal(Code::kKeyMissing, missing_ca());
  }
  if (!active) return failed(active.error());
  const auto all = vault_.client_ca().all();
  if (!all) return failed(all.error());
  wire::AdminAnswer answer;
  answer.columns = {"key", "ends", "certificate"};
  for (const ClientCa::Certificate& one : *all) {
    answer.rows.push_back({core::key_label(one.key), base::format_time(one.not_after_ms),
                           pki::to_pem("CERTIFICATE", one.der)});
  }
  return answer;
}

wire::AdminAnswer AdminService::client_enroll(const Call& call) {
  core::Event done = event(call);
  const std::string id = call.argument("id");
  if (core::valid_client_id(id)) done.resource = id;
  const auto refuse = [&](Code code, const std::string& text) {
    done.outcome = base::code_name(code);
    if (auto ok = record(done); !ok) return failed(ok.error());
    return refusal(code, text);
  };
  const auto days =
      static_cast<std::uint32_t>(call.number("days", vault_.config().clients.certificate_days));
  if (days == 0 || days > kMaxDays) {
    return refuse(Code::kInvalidArgument, "a certificate lasts 1 to 398 days");
  }
  const auto request = pki::check_request(base::as_text(call.request.blob));
  if (!request) return refuse(Code::kInvalidArgument, request.error());
  const std::int64_t now = vault_.clock().now_ms();
  const auto client = vault_.services().clients.by_id(id);
  ClientCertificateRow wanted;
  wanted.client = id;
  wanted.spki_sha256 = request->spki_sha256;
  // Before anything is signed; asked again in the transaction.
  if (auto why = obstacle(client.get(), *vault_.client_ca().rows(), wanted, now)) {
    return refuse(client == nullptr ? Code::kNotFound : Code::kNotAllowed, *why);
  }
  const auto issued = vault_.client_ca().issue(*client, *request, days);
  if (!issued && issued.error().code == Code::kKeyMissing) {
    return refuse(Code::kKeyMissing, missing_ca());
  }
  if (!issued && issued.error().code == Code::kNotAllowed) {
    return refuse(Code::kNotAllowed,
                  "the certificate would outlast the CA's: fewer --days, or `cardvault key rotate "
                  "client-ca`");
  }
  if (!issued) return failed(issued.error());
  const ClientCertificateRow& row = issued->row;
  done.details = {{"serial", core::to_hex(row.serial)},
                  {"spki_sha256", row.spki_sha256},
                  {"not_after", base::format_time(row.not_after_ms)},
                  {"ca", core::key_label({core::KeyPurpose::kClientCa, row.ca_version})}};
  std::optional<std::string> refused;
  const auto decide = [&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
    const auto clients = tx.clients();
    if (!clients) return std::unexpected(clients.error());
    const auto rows = tx.client_certificates();
    if (!rows) return std::unexpected(rows.error());
    const auto at = std::ranges::find(*clients, id, &core::Client::id);
    refused = obstacle(at == clients->end() ? nullptr : &*at, *rows, row, now);
    if (refused) done.outcome = base::code_name(Code::kNotAllowed);
    events.add(done);
    return refused ? base::Result<void>() : tx.put_client_certificate(row);
  };
  if (auto ok = commit(call, decide); !ok) return failed(ok.error());
  if (refused) return refusal(Code::kNotAllowed, *refused);
  if (auto published = vault_.client_ca().changed(); !published) return failed(published.error());
  wire::AdminAnswer answer =
      success("client '" + id + "' has a certificate for its " + request->key + " key until " +
              base::format_time(row.not_after_ms));
  answer.columns = {"serial", "certificate"};
  answer.rows = {{core::to_hex(row.serial), pki::to_pem("CERTIFICATE", issued->der)}};
  return answer;
}

wire::AdminAnswer AdminService::client_certificates(const Call& call) {
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  const std::string id = call.argument("id");
  const std::int64_t now = vault_.clock().now_ms();
  wire::AdminAnswer answer;
  answer.columns = {"client", "serial", "state", "valid from", "valid until", "spki sha-256", "ca"};
  const auto rows = vault_.client_ca().rows();
  for (const ClientCertificateRow& row : *rows) {
    if (!id.empty() && row.client != id) continue;
    answer.rows.push_back({row.client, core::to_hex(row.serial), state_of(row, now),
                           base::format_time(row.not_before_ms),
                           base::format_time(row.not_after_ms), row.spki_sha256,
                           core::key_label({core::KeyPurpose::kClientCa, row.ca_version})});
  }
  return answer;
}

wire::AdminAnswer AdminService::certificate_revoke(const Call& call) {
  core::Event done = event(call);
  const std::string id = call.argument("id");
  if (core::valid_client_id(id)) done.resource = id;
  pki::Serial serial{};
  const bool named = core::from_hex(call.argument("serial"), serial).has_value();
  if (named) done.details = {{"serial", core::to_hex(serial)}};
  bool found = false;
  const auto decide = [&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
    auto rows = tx.client_certificates();
    if (!rows) return std::unexpected(rows.error());
    const auto at = std::ranges::find_if(*rows, [&](const ClientCertificateRow& row) {
      return named && row.client == id && row.serial == serial;
    });
    found = at != rows->end();
    if (!found) done.outcome = base::code_name(Code::kNotFound);
    events.add(done);
    if (!found || at->revoked_ms != 0) return {};
    at->revoked_ms = vault_.clock().now_ms();
    return tx.put_client_certificate(*at);
  };
  if (auto ok = commit(call, decide); !ok) return failed(ok.error());
  if (!found) {
    return refusal(Code::kNotFound, "the vault issued no such certificate to '" + id +
                                        "': see `cardvault client certificates`");
  }
  if (!vault_.client_ca().changed()) {
    return success(
        "the certificate is revoked, but the gates' list can't be written yet: the "
        "vault goes on trying; see `cardvault doctor`");
  }
  return success("the certificate is revoked; gates refuse it within seconds");
}

}  // namespace cardvault::daemon
