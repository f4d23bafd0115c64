// Whose certificates a gate takes: an outside CA's, the vault's own CA's, and their revocation
// lists.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <string>

#include "protocol/gate/config.h"

namespace cardvault::gate {

// Into the context's store and its list of CA names. Where a list is configured for the outside CA,
// no chain passes without one of each authority in it (RFC 5280 6.1.3 (a) (3)); those of the
// vault's CA never do. A vault_ca that is not
// there yet counts as empty. Throws base::StartupError that names the file.
void load_trust(SSL_CTX* context, const Config& config);

// Until when a verification at `now` holds while the files stay the same: until the next revocation
// list ends (nextUpdate). Both in seconds since 1970.
[[nodiscard]] std::int64_t holds_until(const SSL_CTX* context, std::int64_t now_s);

// Whether the chain that the handshake verified ends at the vault's own CA.
[[nodiscard]] bool enrolled_by_vault(const SSL* ssl);

// `key` = "`file`" and OpenSSL's reason, which it takes off its queue, as a StartupError.
[[noreturn]] void refuse_file(const std::string& key, const std::string& file);

}  // namespace cardvault::gate
