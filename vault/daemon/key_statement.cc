#include "vault/daemon/key_statement.h"

#include "vault/daemon/vault_note.h"

namespace cardvault::daemon {
namespace {

constexpr const char* kTitle = "cardvault key statement v1";

}  // namespace

base::Result<std::string> zero_rows_statement(Vault& vault, core::KeyRef key) {
  return sign_note(vault, vault.services().keys.get(core::KeyPurpose::kAuditSign), kTitle,
                   "statement: 0 rows left on " + core::key_label(key) + "\nactive: " +
                       core::key_label(vault.services().keys.get(key.purpose)) + "\n");
}

base::Result<std::string> successor_statement(Vault& vault, core::KeyRef next) {
  const core::KeyRef active = vault.services().keys.get(core::KeyPurpose::kAuditSign);
  const auto key = log_key(vault, next);
  if (!key) return std::unexpected(key.error());
  return sign_note(vault, active, kTitle,
                   "statement: " + core::key_label(next) + " signs after " +
                       core::key_label(active) + "\nvkey: " + key->text() + "\n");
}

}  // namespace cardvault::daemon
