// Owners of OpenSSL's objects, and its error queue as an Error.
#pragma once

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <cstdint>
#include <memory>
#include <string>

#include "vault/base/result.h"

namespace cardvault::seal {

template <auto Free>
struct OpensslFree {
  template <class T>
  void operator()(T* p) const noexcept {
    Free(p);
  }
};

// Private numbers of keys, derived secrets and cipher states are cleared by OpenSSL as it frees
// them: BN_clear_free and OPENSSL_cleanse in each of these.
using PkeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using PkeyCtxPtr = std::unique_ptr<EVP_PKEY_CTX, OpensslFree<EVP_PKEY_CTX_free>>;
using CipherCtxPtr = std::unique_ptr<EVP_CIPHER_CTX, OpensslFree<EVP_CIPHER_CTX_free>>;
using DigestCtxPtr = std::unique_ptr<EVP_MD_CTX, OpensslFree<EVP_MD_CTX_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, OpensslFree<BN_free>>;
using X509Ptr = std::unique_ptr<X509, OpensslFree<X509_free>>;

// kInternal with OpenSSL's last error code; empties this thread's queue.
[[nodiscard]] inline std::unexpected<base::Error> openssl_failure(const char* operation) {
  const unsigned long last = ERR_peek_last_error();
  ERR_clear_error();
  return base::fail(base::Code::kInternal, operation, static_cast<long>(last));
}

}  // namespace cardvault::seal
