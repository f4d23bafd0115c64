// A client's certificate request (PKCS#10, RFC 2986). Only its key is taken: names, extensions and
// attributes that it asks for are not even looked at.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "vault/pki/signed_der.h"

namespace cardvault::pki {

struct CertificateRequest {
  Der spki;                 // SubjectPublicKeyInfo
  std::string spki_sha256;  // lower-case hex, as Client::spki_sha256
  std::string key;          // "EC P-256", "RSA 3072": for people
};

// Checks a request, PEM or DER: its own signature, which proves that the client has the private
// key, and its key: EC on P-256 or P-384, Ed25519, or RSA of 3072 to 8192 bits (SP 800-57 part 1,
// 5.6.1.1: 128 bits of security). A refusal is a text for people: what is wrong and what to do.
[[nodiscard]] std::expected<CertificateRequest, std::string> check_request(
    std::string_view pem_or_der);

}  // namespace cardvault::pki
