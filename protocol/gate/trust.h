// Whose certificates a gate takes: an outside CA's, the vault's own CA's, and their revocation
// lists.
#pragma once

#include <openssl/ssl.h>

#include "protocol/gate/config.h"

namespace cardvault::gate {

// Into the context's store and its list of CA names. Where a list is configured for the outside CA,
// no certificate of it passes without; those of the vault's CA never do. A vault_ca that is not
// there yet counts as empty. Throws base::StartupError that names the file.
void load_trust(SSL_CTX* context, const Config& config);

// Whether the chain that the handshake verified ends at the vault's own CA.
[[nodiscard]] bool enrolled_by_vault(const SSL* ssl);

// `key` = "`file`" and OpenSSL's reason, which it takes off its queue, as a StartupError.
[[noreturn]] void refuse_file(const std::string& key, const std::string& file);

}  // namespace cardvault::gate
