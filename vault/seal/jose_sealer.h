// core::Sealer by JOSE: ES256 signatures from the HSM, messages by OpenSSL.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "vault/core/sealer.h"
#include "vault/core/services.h"
#include "vault/seal/jwe.h"

namespace cardvault::seal {

// Thread-safe. `crypto` and `keys` outlive it. A type is text of the vault's own: it stands in
// headers as it is.
class JoseSealer final : public core::Sealer {
 public:
  JoseSealer(core::Crypto& crypto, const core::ActiveKeys& keys) : crypto_(crypto), keys_(keys) {}

  [[nodiscard]] base::Result<std::string> sign(std::string_view type,
                                               const base::SecretBuffer& claims) override;
  [[nodiscard]] base::Result<std::string> seal(const core::Recipient& to, std::string_view type,
                                               const base::SecretBuffer& claims,
                                               std::int64_t now_ms) override;
  [[nodiscard]] base::Result<std::string> jwks() override;

 private:
  // The JWS in memory that is wiped: what is sealed is a secret until it is encrypted.
  [[nodiscard]] base::Result<base::SecretBuffer> signed_token(std::string_view type,
                                                              const base::SecretBuffer& claims);
  [[nodiscard]] base::Result<std::shared_ptr<const RecipientPublicKey>> public_key_of(
      const core::RecipientCertificate& certificate);

  core::Crypto& crypto_;
  const core::ActiveKeys& keys_;
  std::mutex mutex_;
  // Parsed keys by certificate: parsing one costs as much as sealing to it.
  std::map<std::vector<std::uint8_t>, std::shared_ptr<const RecipientPublicKey>> parsed_;
};

}  // namespace cardvault::seal
