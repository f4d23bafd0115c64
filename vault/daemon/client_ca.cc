#include "vault/daemon/client_ca.h"

#include <algorithm>

#include "vault/base/log.h"
#include "vault/core/text_form.h"
#include "vault/daemon/key_states.h"
#include "vault/daemon/public_file.h"
#include "vault/daemon/vault.h"
#include "vault/pki/issue.h"

namespace cardvault::daemon {

using base::Code;
using core::KeyPurpose;
using core::KeyRef;

namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kSkewMs = 300'000;  // a client's clock may be a little behind
constexpr std::int64_t kListEndedMs =
    2 * kDayMs;  // an ended certificate stays on the lists so long
constexpr std::int64_t kKeepEndedMs = 30 * kDayMs;  // and in the register
constexpr unsigned kRetry_s = 10;

std::string certificate_value(KeyRef key) { return "certificate " + core::key_label(key); }

base::Result<pki::CaKey> ca_key(Vault& vault, KeyRef key) {
  auto public_key = vault.token().public_key(key);
  if (!public_key) return std::unexpected(public_key.error());
  return pki::CaKey{std::move(*public_key), [&vault, key](std::span<const std::uint8_t> data) {
                      return vault.token().sign(key, data);
                    }};
}

base::Result<pki::Serial> new_serial(Vault& vault) {
  return pki::draw_serial([&](std::span<std::uint8_t> out) { return vault.token().random(out); });
}

}  // namespace

std::string enrolled_name(const std::string& client_id) {
  return "uri:urn:cardvault:client:" + client_id;
}

ClientCa::ClientCa(Vault& vault) : vault_(vault) {
  if (const auto read = reread(); !read) {
    throw base::StartupError("the clients' certificates can't be read (" +
                             std::string(base::code_name(read.error().code)) +
                             "): restore a backup");
  }
}

base::Result<void> ClientCa::reread() {
  auto reader = vault_.store().make_reader();
  if (!reader) return std::unexpected(reader.error());
  auto rows = (*reader)->client_certificates();
  if (!rows) return std::unexpected(rows.error());
  rows_.store(std::make_shared<const Rows>(std::move(*rows)));
  return {};
}

base::Result<std::optional<ClientCa::Certificate>> ClientCa::stored(KeyRef key) {
  auto reader = vault_.store().make_reader();
  if (!reader) return std::unexpected(reader.error());
  auto der = (*reader)->value(certificate_value(key));
  if (!der) return std::unexpected(der.error());
  if (!*der || (*der)->empty()) return std::nullopt;
  Certificate out{key, std::move(**der), 0};
  out.not_after_ms = pki::end_of_certificate_ms(out.der);
  if (out.not_after_ms == 0) return base::fail(Code::kRecordDamaged, "client CA certificate");
  return out;
}

base::Result<ClientCa::Certificate> ClientCa::make(KeyRef key) {
  const auto ca = ca_key(vault_, key);
  if (!ca) return std::unexpected(ca.error());
  const auto serial = new_serial(vault_);
  if (!serial) return std::unexpected(serial.error());
  const std::int64_t now = vault_.clock().now_ms();
  const pki::Validity validity{now - kSkewMs, now + vault_.config().clients.ca_days * kDayMs};
  const std::string name = vault_.token().label() + " client CA " + std::to_string(key.version);
  auto der = pki::make_ca_certificate(*ca, name, *serial, validity);
  if (!der) return std::unexpected(der.error());
  core::Event event = vault_.system_event("client.ca");
  event.resource = core::key_label(key);
  event.details = {{"serial", core::to_hex(*serial)},
                   {"not_after", base::format_time(validity.not_after_ms)}};
  const auto recorded = vault_.commit([&](core::Transaction& tx, core::EventSink& events) {
    events.add(event);
    return tx.put_value(certificate_value(key), *der);
  });
  if (!recorded) return std::unexpected(recorded.error());
  return Certificate{key, std::move(*der), validity.not_after_ms / 1000 * 1000};
}

base::Result<ClientCa::Certificate> ClientCa::active() {
  const std::scoped_lock lock(mutex_);
  const KeyRef key = vault_.services().keys.get(KeyPurpose::kClientCa);
  if (key.version == 0) return base::fail(Code::kKeyMissing, "client CA");
  auto known = stored(key);
  if (!known) return std::unexpected(known.error());
  if (*known) return std::move(**known);
  auto made = make(key);
  if (!made) return made;
  if (auto done = publish(); !done) return std::unexpected(done.error());
  return made;
}

base::Result<std::vector<ClientCa::Certificate>> ClientCa::all() {
  const std::scoped_lock lock(mutex_);
  return all_locked();
}

base::Result<std::vector<ClientCa::Certificate>> ClientCa::all_locked() {
  std::vector<Certificate> out;
  const auto rows = vault_.key_rows();
  for (const core::KeyState state : {core::KeyState::kActive, core::KeyState::kDecryptOnly}) {
    for (const std::uint32_t version : versions_in(*rows, KeyPurpose::kClientCa, state)) {
      auto one = stored({KeyPurpose::kClientCa, version});
      if (!one) return std::unexpected(one.error());
      if (*one) out.push_back(std::move(**one));
    }
  }
  return out;
}

base::Result<ClientCa::Issued> ClientCa::issue(const core::Client& client,
                                               const pki::CertificateRequest& request,
                                               std::uint32_t days) {
  const auto issuer = active();
  if (!issuer) return std::unexpected(issuer.error());
  const auto ca = ca_key(vault_, issuer->key);
  if (!ca) return std::unexpected(ca.error());
  const auto serial = new_serial(vault_);
  if (!serial) return std::unexpected(serial.error());
  const std::int64_t now = vault_.clock().now_ms();
  Issued out;
  out.row = {*serial,
             client.id,
             issuer->key.version,
             now - kSkewMs,
             now + days * kDayMs,
             request.spki_sha256,
             0};
  if (out.row.not_after_ms > issuer->not_after_ms) {
    return base::fail(Code::kNotAllowed, "client CA ends first");
  }
  const std::string san = client.san.empty() ? enrolled_name(client.id) : client.san;
  auto der = pki::make_client_certificate(
      *ca, issuer->der,
      {client.id, san, *serial, {out.row.not_before_ms, out.row.not_after_ms}, request.spki});
  if (!der) return std::unexpected(der.error());
  out.der = std::move(*der);
  return out;
}

base::Result<void> ClientCa::publish() {
  const auto cas = all_locked();
  if (!cas) return std::unexpected(cas.error());
  const std::int64_t now = vault_.clock().now_ms();
  looked_ms_ = now;
  generation_ = vault_.services().keys.generation();
  if (cas->empty()) return {};
  const auto rows = rows_.load();
  std::string text =
      "# The client CA of this vault and its revocation lists; written by cardvaultd.\n";
  for (const Certificate& ca : *cas) {
    // Vault time never steps back, so the lists' numbers grow without a counter.
    pki::RevocationList list{static_cast<std::uint64_t>(now), now, now + kListLife_ms, {}};
    for (const core::ClientCertificateRow& row : *rows) {
      const bool listed = row.ca_version == ca.key.version && row.revoked_ms != 0 &&
                          row.not_after_ms + kListEndedMs > now;
      if (listed) list.revoked.push_back({row.serial, row.revoked_ms});
    }
    const auto key = ca_key(vault_, ca.key);
    if (!key) return std::unexpected(key.error());
    const auto der = pki::make_revocation_list(*key, ca.der, list);
    if (!der) return std::unexpected(der.error());
    text += pki::to_pem("CERTIFICATE", ca.der) + pki::to_pem("X509 CRL", *der);
  }
  if (auto written = write_public_file(vault_.config().clients.ca_file, text); !written) {
    return written;
  }
  list_end_ms_ = now + kListLife_ms;
  waiting_ = false;
  return {};
}

base::Result<void> ClientCa::changed() {
  const std::scoped_lock lock(mutex_);
  auto done = reread();
  if (done) done = publish();
  if (!done) {
    looked_ms_ = 0;  // the next tick tries again, and raises the alarm
    pause_s_ = 0;
  }
  return done;
}

bool ClientCa::due(std::int64_t now_ms) const {
  return waiting_ || looked_ms_ == 0 || now_ms - looked_ms_ >= kListEvery_ms ||
         generation_ != vault_.services().keys.generation();
}

void ClientCa::forget_ended(std::int64_t now_ms) {
  const auto rows = rows_.load();
  const auto ended = [&](const auto& row) { return row.not_after_ms + kKeepEndedMs < now_ms; };
  if (std::ranges::none_of(*rows, ended)) return;
  static_cast<void>(vault_.commit([&](core::Transaction& tx, core::EventSink&) {
    return tx.delete_ended_certificates(now_ms - kKeepEndedMs);
  }));
}

void ClientCa::tick() {
  const std::scoped_lock lock(mutex_);
  if (pause_s_ > 0) --pause_s_;
  if (pause_s_ > 0) return;
  const std::int64_t now = vault_.clock().now_ms();
  if (!due(now) || vault_.token().state() != hsm::HsmState::kReady) return;
  forget_ended(now);
  auto done = reread();
  if (done) done = publish();
  if (done) return;
  pause_s_ = kRetry_s;
  if (!std::exchange(waiting_, true)) {
    base::log(base::Level::kError, "the clients' revocation list can't be published", done.error());
    vault_.alarm("client_list_unpublished",
                 {{"why", std::string(base::code_name(done.error().code))}});
  }
}

std::int64_t ClientCa::list_end_ms() const {
  const std::scoped_lock lock(mutex_);
  return list_end_ms_;
}

bool ClientCa::list_late(std::int64_t now_ms) const {
  const std::scoped_lock lock(mutex_);
  if (list_end_ms_ == 0) return waiting_;
  return list_end_ms_ - now_ms < kListLife_ms - 2 * kListEvery_ms;
}

}  // namespace cardvault::daemon
