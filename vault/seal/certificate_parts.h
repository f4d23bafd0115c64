// A certificate read with OpenSSL: for the files of this room.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "vault/seal/openssl_owned.h"
#include "vault/seal/recipient_certificate.h"

namespace cardvault::seal {

using MemoryPtr = std::unique_ptr<BIO, OpensslFree<BIO_free_all>>;

// Null when the bytes are not exactly one certificate.
[[nodiscard]] X509Ptr certificate_from_der(std::span<const std::uint8_t> der);

// Nothing when its key is of a kind that nothing is sealed to.
[[nodiscard]] std::optional<CertificateFacts> facts_of(const X509* certificate);

}  // namespace cardvault::seal
