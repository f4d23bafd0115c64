// Verifier keys: their text has one spelling, and a PEM file of any contents is read safely.
#include "vault/audit/verifier_key.h"

#include "tests/fuzz/target.h"

using namespace cardvault;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  if (const auto key = audit::VerifierKey::parse(text)) {
    CARDVAULT_CHECK(key->text() == text);
    static_cast<void>(key->verify(text, {data, size}));
  }
  if (const auto key = audit::VerifierKey::parse_pem(text, "log")) {
    CARDVAULT_CHECK(audit::VerifierKey::parse(key->text()));
  }
  return 0;
}
