// What operators bring: clients' certificate requests and recipients' certificates, PEM or DER.
#include "tests/fuzz/target.h"
#include "vault/pki/certificate_request.h"
#include "vault/seal/recipient_certificate.h"

using namespace cardvault;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  if (const auto request = pki::check_request(text)) {
    CARDVAULT_CHECK(request->spki_sha256.size() == 64 && !request->spki.empty());
  } else {
    CARDVAULT_CHECK(!request.error().empty());
  }
  const seal::CertificateTrust pinned{.ca_pem = "", .spki_sha256 = std::string(64, '0')};
  const auto checked = seal::check_recipient_certificate(text, pinned, 1'700'000'000'000);
  CARDVAULT_CHECK(!checked && !checked.error().empty());  // nobody's key has this digest
  if (const auto facts = seal::certificate_facts(std::span(data, size))) {
    CARDVAULT_CHECK(facts->spki_sha256.size() == 64);
  }
  return 0;
}
