// What the gate speaks TLS with: its certificate, and whom it believes.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "protocol/gate/config.h"
#include "protocol/gate/strangers.h"
#include "vault/base/result.h"
#include "vault/core/identity.h"

namespace cardvault::gate {

struct SslFree {
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;

// TLS 1.3 only, client certificate required, no tickets, no session cache, no early data (RFC
// 8446). Immutable once loaded; thread-safe.
class Tls {
 public:
  // What a client's certificates may come to together: whoever connects may send some, and each
  // is parsed and tried before anybody knows whose it is. Five of RSA 4096 are 8 KiB.
  static constexpr long kMaxChainBytes = 16L << 10;

  // Throws base::StartupError that names the file.
  [[nodiscard]] static std::shared_ptr<const Tls> load(const Config& config);
  ~Tls();
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  // The server's end of a connection on a non-blocking descriptor, which it doesn't own.
  [[nodiscard]] SslPtr accept(int fd) const;

  // Whether the certificate that a live connection was opened with would still be taken:
  // kClientRevoked, kCertificateExpired, or kClientUnknown when no issuer vouches for it any more.
  [[nodiscard]] base::Result<void> verify_again(const SSL* ssl) const;
  // Until when a verification at `now` holds while the files stay the same (trust.h).
  [[nodiscard]] std::int64_t holds_until(std::int64_t now_s) const;

 private:
  explicit Tls(SSL_CTX* context) noexcept : context_(context) {}
  SSL_CTX* context_;
};

// Who is at the other end of a finished handshake, but for the address; and until when its
// certificate is good (seconds since 1970).
struct Peer {
  core::Caller caller;
  std::int64_t not_after_s = 0;
};
[[nodiscard]] base::Result<Peer> peer_of(const SSL* ssl);

// What a certificate says of its holder, whoever vouches for it; `enrolled`: the vault's own CA
// does. kClientUnknown when it can't be read. At most 32 names of at most 255 visible ASCII
// characters.
[[nodiscard]] base::Result<Peer> identity_in(X509* certificate, bool enrolled);

// Why a handshake failed. Empties this thread's OpenSSL error queue.
[[nodiscard]] StrangerReason handshake_failure(const SSL* ssl);

}  // namespace cardvault::gate
