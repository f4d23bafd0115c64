// Certificates and revocation lists under a signature that the HSM makes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vault/pki/ca_key.h"
#include "vault/seal/openssl_owned.h"

namespace cardvault::pki {

using Der = std::vector<std::uint8_t>;
using CrlPtr = std::unique_ptr<X509_CRL, seal::OpensslFree<X509_CRL_free>>;

// The object, complete but for its signature, signed by the CA with ecdsa-with-SHA256 (RFC 5758
// 3.2) and checked with its public key. Errors of CaKey::sign; kInternal when OpenSSL fails or the
// signature is not the key's.
[[nodiscard]] base::Result<Der> sign_certificate(X509* certificate, const CaKey& ca);
[[nodiscard]] base::Result<Der> sign_revocation_list(X509_CRL* list, const CaKey& ca);

// "-----BEGIN label-----" with lines of 64 characters (RFC 7468 2).
[[nodiscard]] std::string to_pem(std::string_view label, std::span<const std::uint8_t> der);

}  // namespace cardvault::pki
