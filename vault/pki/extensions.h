// The extensions that our certificates and lists carry (RFC 5280 4.2 and 5.2).
#pragma once

#include <openssl/x509v3.h>

#include <string>

#include "vault/seal/openssl_owned.h"

namespace cardvault::pki {

// One extension by its name and OpenSSL's notation (x509v3_config(5)). Fixed texts only: the
// notation has a syntax. False when OpenSSL fails.
[[nodiscard]] bool add_extension(X509* certificate, const X509* issuer, int nid, const char* value);
// authorityKeyIdentifier: the issuer's subjectKeyIdentifier.
[[nodiscard]] bool add_authority(X509_CRL* list, X509* issuer);
// A subject alternative name "dns:…" or "uri:…", taken as it is. False for another form.
[[nodiscard]] bool add_name(X509* certificate, const std::string& san);

}  // namespace cardvault::pki
