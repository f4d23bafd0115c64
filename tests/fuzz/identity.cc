// A client's certificate, as the gate reads it once a CA has vouched for it: names have one form
// only, and no certificate of an outside CA bears the name of a client that the vault enrolled.
#include <openssl/err.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>

#include "protocol/gate/tls.h"
#include "tests/fuzz/target.h"

using namespace cardvault;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const unsigned char* at = data;
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      d2i_X509(nullptr, &at, static_cast<long>(size)), &X509_free);
  ERR_clear_error();  // a growing queue looks like a leak to the fuzzer
  if (!certificate) return 0;
  for (const bool enrolled : {false, true}) {
    const auto peer = gate::identity_in(certificate.get(), enrolled);
    if (!peer) continue;
    CARDVAULT_CHECK(peer->caller.serial.size() <= 64);
    CARDVAULT_CHECK(peer->caller.sans.size() <= 32);
    for (const std::string& san : peer->caller.sans) {
      CARDVAULT_CHECK(san.size() <= 4 + 255);
      CARDVAULT_CHECK(san.starts_with("dns:") || san.starts_with("uri:"));
      CARDVAULT_CHECK(std::ranges::all_of(san, [](char c) { return c > 0x20 && c < 0x7f; }));
      CARDVAULT_CHECK(enrolled || !san.starts_with("uri:urn:cardvault:client:"));
    }
  }
  return 0;
}
