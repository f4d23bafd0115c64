// The claims of signed and sealed statements (RFC 7519), as the bytes of a JSON object.
#pragma once

#include <cstdint>
#include <string_view>

#include "vault/base/result.h"
#include "vault/base/secret.h"
#include "vault/core/request.h"
#include "vault/core/services.h"

namespace cardvault::core {

// Builds one object, in wiped memory. Names are literals; texts must be UTF-8 and are escaped (RFC
// 8259 section 7). Not thread-safe.
class Claims {
 public:
  // With iss (Settings::issuer), iat and exp in seconds, and jti: 32 hex digits of the HSM's random
  // generator, so a worker's call. Errors: those of Crypto::random.
  [[nodiscard]] static base::Result<Claims> begin(Services& services, std::int64_t issued_ms,
                                                  std::int64_t expires_ms);

  void text(std::string_view name, std::string_view value);
  void number(std::string_view name, std::int64_t value);
  // "context": {"amount":…,"currency":"…","payee":"…"}
  void context(const PaymentContext& context);

  // The finished object.
  [[nodiscard]] base::SecretBuffer take() &&;

 private:
  Claims();
  void name(std::string_view name);
  void raw(std::string_view json);
  void quoted(std::string_view value);
  base::SecretBuffer json_;
};

}  // namespace cardvault::core
