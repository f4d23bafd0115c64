#include "vault/daemon/key_statement.h"

#include "vault/audit/checkpoint.h"
#include "vault/audit/note.h"
#include "vault/base/log.h"

namespace cardvault::daemon {
namespace {

base::Result<audit::VerifierKey> verifier(Vault& vault, core::KeyRef key) {
  auto public_key = vault.token().public_key(key);
  if (!public_key) return std::unexpected(public_key.error());
  const std::string& named = vault.config().audit.origin;
  return audit::VerifierKey(
      named.empty() ? audit::default_origin(vault.token().description().label) : named,
      std::move(*public_key));
}

base::Result<std::string> sign(Vault& vault, core::KeyRef signer, const std::string& statement) {
  const auto key = verifier(vault, signer);
  if (!key) return std::unexpected(key.error());
  audit::Note note;
  note.text = "cardvault key statement v1\nvault: " + key->name() + "\nstatement: " + statement +
              "\ntime: " + base::format_time(vault.clock().now_ms()) + "\n";
  const auto signature = vault.token().sign(signer, base::as_bytes(note.text));
  if (!signature) return std::unexpected(signature.error());
  note.signatures.push_back({key->name(), key->id(), key->note_form(*signature)});
  return audit::format_note(note);
}

}  // namespace

base::Result<std::string> zero_rows_statement(Vault& vault, core::KeyRef key) {
  return sign(vault, vault.services().keys.get(core::KeyPurpose::kAuditSign),
              "0 rows left on " + core::key_label(key) +
                  "\nactive: " + core::key_label(vault.services().keys.get(key.purpose)));
}

base::Result<std::string> successor_statement(Vault& vault, core::KeyRef next) {
  const core::KeyRef active = vault.services().keys.get(core::KeyPurpose::kAuditSign);
  const auto key = verifier(vault, next);
  if (!key) return std::unexpected(key.error());
  return sign(
      vault, active,
      core::key_label(next) + " signs after " + core::key_label(active) + "\nvkey: " + key->text());
}

}  // namespace cardvault::daemon
