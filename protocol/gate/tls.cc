#include "protocol/gate/tls.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "protocol/gate/trust.h"
#include "vault/base/check.h"

namespace cardvault::gate {
namespace {

using base::Code;

int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_size,
                const unsigned char* offered, unsigned offered_size, void*) {
  static constexpr unsigned char kHttp11[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kHttp11, sizeof(kHttp11) - 1, offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // RFC 7301 3.2: no_application_protocol
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

void set_protocol(SSL_CTX* context) {
  // 112 bits for whatever a certificate is signed with or a key is made of (SP 800-57 part 1), on
  // machines whose openssl.cnf says less too.
  SSL_CTX_set_security_level(context, 2);
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_CLEANSE_PLAINTEXT |
                                   SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                   SSL_OP_NO_COMPRESSION);
  // 128 bits and more (SP 800-57 part 1, 5.6.1.1), and cheap: a stranger chooses among these, and
  // an 8192-bit exponentiation for each hello would be theirs to ask for (CVE-2002-20001).
  CARDVAULT_CHECK(SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1);
  SSL_CTX_set_max_cert_list(context, Tls::kMaxChainBytes);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_early_data(context, 0);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);  // one read(2) per record instead of two
  SSL_CTX_set_alpn_select_cb(context, choose_alpn, nullptr);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
}

Code refusal_of(int verify_error) noexcept {
  switch (verify_error) {
    case X509_V_ERR_CERT_REVOKED:
      return Code::kClientRevoked;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return Code::kCertificateExpired;
    default:
      return Code::kClientUnknown;
  }
}

}  // namespace

std::shared_ptr<const Tls> Tls::load(const Config& config) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  CARDVAULT_CHECK(context != nullptr);
  const std::shared_ptr<Tls> tls(new Tls(context));
  set_protocol(context);
  if (SSL_CTX_use_certificate_chain_file(context, config.certificate.c_str()) != 1) {
    refuse_file("certificate", config.certificate);
  }
  if (SSL_CTX_use_PrivateKey_file(context, config.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    refuse_file("key", config.key);
  }
  load_trust(context, config);
  return tls;
}

Tls::~Tls() { SSL_CTX_free(context_); }

SslPtr Tls::accept(int fd) const {
  SslPtr ssl(SSL_new(context_));
  if (ssl != nullptr && SSL_set_fd(ssl.get(), fd) == 1) SSL_set_accept_state(ssl.get());
  return ssl;
}

base::Result<void> Tls::verify_again(const SSL* ssl) const {
  X509* leaf = SSL_get0_peer_certificate(ssl);
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> check(X509_STORE_CTX_new(),
                                                                              &X509_STORE_CTX_free);
  if (leaf == nullptr || check == nullptr ||
      X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(context_), leaf,
                          SSL_get_peer_cert_chain(ssl)) != 1 ||
      X509_STORE_CTX_set_default(check.get(), "ssl_client") != 1) {
    return base::fail(Code::kClientUnknown, "verify again");
  }
  const bool good = X509_verify_cert(check.get()) == 1;
  const int error = X509_STORE_CTX_get_error(check.get());
  ERR_clear_error();
  if (good) return {};
  return base::fail(refusal_of(error), "verify again", error);
}

std::int64_t Tls::holds_until(std::int64_t now_s) const {
  return gate::holds_until(context_, now_s);
}

StrangerReason handshake_failure(const SSL* ssl) {
  const long verified = SSL_get_verify_result(ssl);
  const int reason = ERR_GET_REASON(ERR_peek_error());
  ERR_clear_error();
  if (verified == X509_V_ERR_CERT_REVOKED) return StrangerReason::kTlsRevoked;
  if (verified == X509_V_ERR_CERT_HAS_EXPIRED) return StrangerReason::kTlsExpired;
  if (verified != X509_V_OK) return StrangerReason::kTlsUntrusted;
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) return StrangerReason::kTlsNoCertificate;
  if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_WRONG_VERSION_NUMBER) {
    return StrangerReason::kTlsVersion;
  }
  return StrangerReason::kTlsHandshake;
}

}  // namespace cardvault::gate
