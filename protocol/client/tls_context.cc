#include "protocol/client/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>

namespace cardvault::client {
namespace {

base::Error refused(const char* operation) {
  const auto number = static_cast<long>(ERR_peek_error());
  ERR_clear_error();
  return {base::Code::kInvalidArgument, operation, number};
}

int no_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const noexcept { SSL_CTX_free(context); }

base::Result<TlsContext> TlsContext::load(const Credentials& credentials) {
  TlsContext made(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = made.native();
  if (context == nullptr) return std::unexpected(refused("SSL_CTX_new"));
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (credentials.small_when_idle) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  } else {
    SSL_CTX_set_read_ahead(context, 1);  // a record's header and body in one read(2)
  }
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  if (SSL_CTX_load_verify_file(context, credentials.ca_file.c_str()) != 1) {
    return std::unexpected(refused(kLoadCa));
  }
  if (SSL_CTX_use_certificate_chain_file(context, credentials.cert_file.c_str()) != 1) {
    return std::unexpected(refused(kLoadCertificate));
  }
  const bool loaded =
      SSL_CTX_use_PrivateKey_file(context, credentials.key_file.c_str(), SSL_FILETYPE_PEM) == 1;
  if (!loaded || SSL_CTX_check_private_key(context) != 1) {
    // One of the certificate's kind is compared as it is loaded.
    const bool other =
        loaded || ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
    base::Error error = refused(kLoadKey);
    if (other) error.code = base::Code::kConflict;
    return std::unexpected(error);
  }
  return made;
}

}  // namespace cardvault::client
