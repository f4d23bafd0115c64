// A share under a custodian's key: nothing opens but what was sealed, and that as it was.
#include "provisioning/custody/envelope.h"

#include <openssl/ec.h>

#include <algorithm>

#include "tests/fuzz/target.h"
#include "vault/custody/signature.h"

using namespace cardvault;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const seal::PkeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  static const core::SigningPublicKey recipient{.ed25519 = false,
                                                .point = custody::p256_point(key.get())};
  CARDVAULT_CHECK(!custody::open_envelope(key.get(), fuzz::text_of(data, size)));
  const auto sealed = custody::seal_envelope(recipient, std::span(data, size));
  CARDVAULT_CHECK(sealed.has_value());
  const auto opened = custody::open_envelope(key.get(), *sealed);
  CARDVAULT_CHECK(opened && std::ranges::equal(*opened, std::span(data, size)));
  if (size < 3) return 0;
  // Any change of any byte.
  std::string changed = *sealed;
  const std::size_t at = (data[0] * std::size_t{256} + data[1]) % changed.size();
  changed[at] = static_cast<char>(data[2]);
  CARDVAULT_CHECK(changed == *sealed || !custody::open_envelope(key.get(), changed));
  return 0;
}
