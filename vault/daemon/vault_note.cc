#include "vault/daemon/vault_note.h"

#include "vault/audit/checkpoint.h"
#include "vault/audit/note.h"

namespace cardvault::daemon {

base::Result<audit::VerifierKey> log_key(Vault& vault, core::KeyRef key) {
  auto public_key = vault.token().public_key(key);
  if (!public_key) return std::unexpected(public_key.error());
  const std::string& named = vault.config().audit.origin;
  return audit::VerifierKey(named.empty() ? audit::default_origin(vault.token().label()) : named,
                            std::move(*public_key));
}

base::Result<std::string> sign_note(Vault& vault, core::KeyRef signer, const std::string& title,
                                    const std::string& body) {
  const auto key = log_key(vault, signer);
  if (!key) return std::unexpected(key.error());
  audit::Note note;
  note.text = title + "\nvault: " + key->name() + "\n" + body +
              "time: " + base::format_time(vault.clock().now_ms()) + "\n";
  const auto signature = vault.token().sign(signer, base::as_bytes(note.text));
  if (!signature) return std::unexpected(signature.error());
  note.signatures.push_back({key->name(), key->id(), key->note_form(*signature)});
  return audit::format_note(note);
}

}  // namespace cardvault::daemon
