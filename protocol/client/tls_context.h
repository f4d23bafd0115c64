// What a client of the vault shows and trusts: its certificate, and the CA of the gates.
#pragma once

#include <memory>
#include <string>

#include "vault/base/result.h"

struct ssl_ctx_st;

namespace cardvault::client {

struct Credentials {
  std::string ca_file;    // PEM; the only roots that are trusted
  std::string cert_file;  // PEM chain, leaf first
  std::string key_file;   // PEM, without a passphrase (one is never asked for)
  // Gives TLS buffers back while a connection is idle: for thousands of idle connections.
  bool small_when_idle = false;
};

// The operations of load()'s errors.
inline constexpr const char* kLoadCa = "load CA file";
inline constexpr const char* kLoadCertificate = "load certificate file";
inline constexpr const char* kLoadKey = "load key file";

// Immutable once made; thread-safe; outlives the connections made with it.
class TlsContext {
 public:
  // TLS 1.3 only. kInvalidArgument when a file can't be read or isn't PEM of its kind, kConflict
  // when the key is not the certificate's; the operation names the file, the number is OpenSSL's.
  [[nodiscard]] static base::Result<TlsContext> load(const Credentials& credentials);

  [[nodiscard]] ssl_ctx_st* native() const noexcept { return context_.get(); }

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const noexcept;
  };
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  std::unique_ptr<ssl_ctx_st, Free> context_;
};

}  // namespace cardvault::client
