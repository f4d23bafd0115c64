#include "vault/daemon/key_statement.h"

#include "vault/audit/checkpoint.h"
#include "vault/audit/note.h"
#include "vault/base/log.h"

namespace cardvault::daemon {

base::Result<std::string> zero_rows_statement(Vault& vault, core::KeyRef key) {
  const core::KeyRef signer = vault.services().keys.get(core::KeyPurpose::kAuditSign);
  auto public_key = vault.token().public_key(signer);
  if (!public_key) return std::unexpected(public_key.error());
  const std::string& named = vault.config().audit.origin;
  const audit::VerifierKey verifier(
      named.empty() ? audit::default_origin(vault.token().description().label) : named,
      std::move(*public_key));
  audit::Note note;
  note.text = "cardvault key statement v1\nvault: " + verifier.name() +
              "\nstatement: 0 rows left on " + core::key_label(key) +
              "\nactive: " + core::key_label(vault.services().keys.get(key.purpose)) +
              "\ntime: " + base::format_time(vault.clock().now_ms()) + "\n";
  const auto signature = vault.token().sign(signer, base::as_bytes(note.text));
  if (!signature) return std::unexpected(signature.error());
  note.signatures.push_back({verifier.name(), verifier.id(), verifier.note_form(*signature)});
  return audit::format_note(note);
}

}  // namespace cardvault::daemon
