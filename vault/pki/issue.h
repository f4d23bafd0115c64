// What the vault's own CA issues: its certificate, clients' certificates, revocation lists. A
// profile of RFC 5280.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "vault/pki/signed_der.h"

namespace cardvault::pki {

// Positive, of one length, and no one can foretell it: 126 random bits (RFC 5280 4.1.2.2; the
// CA/Browser Forum asks for 64).
using Serial = std::array<std::uint8_t, 16>;

// Drawn anew while its hexadecimal digits hold what reads as a card number, as one in hundreds does
// by accident: a serial stands in the log and on command lines, where such text is refused or
// masked. Errors of `random`.
[[nodiscard]] base::Result<Serial> draw_serial(
    const std::function<base::Result<void>(std::span<std::uint8_t>)>& random);

struct Validity {
  std::int64_t not_before_ms = 0, not_after_ms = 0;  // seconds are kept
};

// A CA's certificate, signed by itself: CA with path length 0, keyCertSign and cRLSign, no other
// use. Errors as of sign_certificate().
[[nodiscard]] base::Result<Der> make_ca_certificate(const CaKey& ca, const std::string& name,
                                                    const Serial& serial, const Validity& validity);

struct ClientCertificate {
  std::string client;  // the subject's common name
  std::string san;     // "dns:…" or "uri:…"
  Serial serial{};
  Validity validity;
  Der spki;  // the client's SubjectPublicKeyInfo
};
// End entity, digitalSignature, clientAuth. kInvalidArgument when `ca_certificate` is none or the
// SPKI or SAN can't be used; else as of sign_certificate().
[[nodiscard]] base::Result<Der> make_client_certificate(
    const CaKey& ca, std::span<const std::uint8_t> ca_certificate, const ClientCertificate& wanted);

struct Revoked {
  Serial serial{};
  std::int64_t time_ms = 0;
};
struct RevocationList {
  std::uint64_t number = 0;  // CRLNumber: grows from list to list (RFC 5280 5.2.3)
  std::int64_t this_update_ms = 0, next_update_ms = 0;
  std::vector<Revoked> revoked;
};
// Errors as above.
[[nodiscard]] base::Result<Der> make_revocation_list(const CaKey& ca,
                                                     std::span<const std::uint8_t> ca_certificate,
                                                     const RevocationList& wanted);

// When a certificate ends, ms since 1970; 0 when it is none.
[[nodiscard]] std::int64_t end_of_certificate_ms(std::span<const std::uint8_t> certificate);

}  // namespace cardvault::pki
