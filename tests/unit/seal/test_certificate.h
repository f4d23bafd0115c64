// Certificates made on the spot, of any kind a recipient could bring.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vault/core/recipient.h"
#include "vault/seal/openssl_owned.h"

namespace cardvault::seal {

inline constexpr std::int64_t kNow = 1'795'305'600'000;  // 2026-11-22
inline constexpr std::int64_t kDay = 86'400'000;

struct CertificatePlan {
  std::string name = "gateway";
  std::string key = "P-256";  // a curve, "RSA 3072", "ED25519"
  std::int64_t not_before_ms = kNow - kDay, not_after_ms = kNow + 365 * kDay;
  std::string key_usage = {};  // as openssl.cnf(5) has it; "": none
  bool ca = false;
};

struct TestCertificate {
  PkeyPtr key;
  X509Ptr certificate;
  std::string pem;
  std::vector<std::uint8_t> der;

  [[nodiscard]] core::RecipientCertificate registered(const CertificatePlan& plan = {}) const {
    return {der, plan.not_before_ms, plan.not_after_ms};
  }
};

// Signed by `issuer`, or by itself.
[[nodiscard]] TestCertificate make_certificate(const CertificatePlan& plan,
                                               const TestCertificate* issuer = nullptr);

}  // namespace cardvault::seal
