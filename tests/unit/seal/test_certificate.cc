#include "tests/unit/seal/test_certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "vault/base/check.h"

namespace cardvault::seal {
namespace {

using MemoryPtr = std::unique_ptr<BIO, OpensslFree<BIO_free_all>>;

PkeyPtr make_key(const std::string& kind) {
  if (kind.starts_with("RSA ")) {
    return PkeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA",
                                     static_cast<std::size_t>(std::stoul(kind.substr(4)))));
  }
  if (kind == "ED25519") return PkeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  return PkeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", kind.c_str()));
}

void extend(X509* certificate, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  CARDVAULT_CHECK(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

}  // namespace

TestCertificate make_certificate(const CertificatePlan& plan, const TestCertificate* issuer) {
  TestCertificate out;
  out.key = make_key(plan.key);
  out.certificate.reset(X509_new());
  X509* made = out.certificate.get();
  X509_set_version(made, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
  ASN1_TIME_set(X509_getm_notBefore(made), plan.not_before_ms / 1000);
  ASN1_TIME_set(X509_getm_notAfter(made), plan.not_after_ms / 1000);
  X509_set_pubkey(made, out.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(plan.name.c_str()), -1, -1, 0);
  X509_set_issuer_name(made,
                       X509_get_subject_name(issuer == nullptr ? made : issuer->certificate.get()));
  extend(made, NID_basic_constraints, plan.ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!plan.key_usage.empty()) extend(made, NID_key_usage, plan.key_usage.c_str());
  EVP_PKEY* signer = issuer == nullptr ? out.key.get() : issuer->key.get();
  const bool edwards = EVP_PKEY_get_base_id(signer) == EVP_PKEY_ED25519;
  CARDVAULT_CHECK(X509_sign(made, signer, edwards ? nullptr : EVP_sha256()) > 0);
  const MemoryPtr text(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(text.get(), made);
  char* data = nullptr;
  const long size = BIO_get_mem_data(text.get(), &data);
  out.pem.assign(data, static_cast<std::size_t>(size));
  unsigned char* der = nullptr;
  const int der_size = i2d_X509(made, &der);
  out.der.assign(der, der + der_size);
  OPENSSL_free(der);
  return out;
}

}  // namespace cardvault::seal
