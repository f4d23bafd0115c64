// Certificates of recipients: what an operator brings is checked once, when it is registered, so
// that on the way of a request only its validity is asked again.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "vault/base/result.h"
#include "vault/core/recipient.h"

namespace cardvault::seal {

// By what an operator vouches for a certificate. At least one is set; both must hold when both are.
struct CertificateTrust {
  std::string ca_pem;       // certificates of CAs, PEM, one after another; ""
  std::string spki_sha256;  // pin (RFC 7469): SHA-256 of SubjectPublicKeyInfo, 64 hex digits; ""
};

enum class RecipientKey : std::uint8_t { kP256, kP384, kRsa };
// "EC P-256", "EC P-384", "RSA"
[[nodiscard]] std::string_view recipient_key_name(RecipientKey key) noexcept;

// What people compare and read of a certificate.
struct CertificateFacts {
  std::string subject;      // one line, RFC 2253
  std::string spki_sha256;  // lower-case hex
  RecipientKey key = RecipientKey::kP256;
  unsigned key_bits = 0;  // 256, 384; of RSA its modulus
  std::int64_t not_before_ms = 0, not_after_ms = 0;
};

struct CheckedCertificate {
  core::RecipientCertificate certificate;
  CertificateFacts facts;
};

// Checks a certificate, PEM or DER; further certificates of a PEM are intermediates for its chain.
// Wanted: a chain to one of the CAs, or the pin; validity at now_ms; an EC key on P-256 or P-384 or
// an RSA key of 3072 bits and more (SP 800-57 part 1, 5.6.1.1: 128 bits of security); a keyUsage,
// if there is one, that allows what the key is for (RFC 5280 4.2.1.3: keyAgreement of EC,
// keyEncipherment of RSA). A refusal is a text for people: what is wrong and what to do.
[[nodiscard]] std::expected<CheckedCertificate, std::string> check_recipient_certificate(
    std::string_view pem_or_der, const CertificateTrust& trust, std::int64_t now_ms);

// Of a certificate that was checked before. kInvalidArgument when it is none.
[[nodiscard]] base::Result<CertificateFacts> certificate_facts(std::span<const std::uint8_t> der);

}  // namespace cardvault::seal
