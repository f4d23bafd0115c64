#include "vault/core/crypto.h"

namespace cardvault::core {

std::string_view key_purpose_name(KeyPurpose purpose) noexcept {
  switch (purpose) {
    case KeyPurpose::kPanEnc:
      return "pan-enc";
    case KeyPurpose::kPanIndex:
      return "pan-index";
    case KeyPurpose::kIdIndex:
      return "id-index";
    case KeyPurpose::kIdEnc:
      return "id-enc";
    case KeyPurpose::kOtpMac:
      return "otp-mac";
    case KeyPurpose::kSecretEnc:
      return "secret-enc";
    case KeyPurpose::kSealSign:
      return "seal-sign";
    case KeyPurpose::kAuditSign:
      return "audit-sign";
    case KeyPurpose::kClientCa:
      return "client-ca";
  }
  return "unknown";
}

std::string key_label(const KeyRef& key) {
  return std::string(key_purpose_name(key.purpose)) + '/' + std::to_string(key.version);
}

}  // namespace cardvault::core
