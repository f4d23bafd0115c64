#include "vault/seal/recipient_certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <optional>
#include <utility>

#include "vault/base/ascii.h"
#include "vault/base/secret.h"
#include "vault/seal/certificate_parts.h"
#include "vault/seal/openssl_owned.h"

namespace cardvault::seal {
namespace {

using Refusal = std::optional<std::string>;  // empty: nothing against it

struct FreeCertificates {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_pop_free(stack, X509_free); }
};
using CertificatesPtr = std::unique_ptr<STACK_OF(X509), FreeCertificates>;
using StorePtr = std::unique_ptr<X509_STORE, OpensslFree<X509_STORE_free>>;
using StoreCtxPtr = std::unique_ptr<X509_STORE_CTX, OpensslFree<X509_STORE_CTX_free>>;

constexpr std::size_t kMaxInput = 256UZ * 1024;
constexpr int kMinRsaBits = 3072;
constexpr int kMaxRsaBits = 8192;       // more only costs time
constexpr int kChainSecurityLevel = 2;  // 112 bits: no SHA-1, no RSA below 2048 in the chain

std::string date_of(std::int64_t ms) {
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts)};
}

CertificatesPtr from_pem(std::string_view pem) {
  CertificatesPtr all(sk_X509_new_null());
  const MemoryPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  while (X509* one = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)) {
    sk_X509_push(all.get(), one);
  }
  return all;
}

// The recipient's certificate; what a PEM holds beside it goes to `others`.
X509Ptr read_certificate(std::string_view input, CertificatesPtr& others) {
  others.reset(sk_X509_new_null());
  if (input.size() > kMaxInput) return nullptr;
  if (!input.empty() && input.front() == '\x30') return certificate_from_der(base::as_bytes(input));
  others = from_pem(input);
  return X509Ptr(sk_X509_shift(others.get()));
}

Refusal refuse_validity(const CertificateFacts& facts, std::int64_t now_ms) {
  if (now_ms < facts.not_before_ms) {
    return "the certificate is not valid before " + date_of(facts.not_before_ms) +
           ": register it then, or have its beginning corrected";
  }
  if (now_ms > facts.not_after_ms) {
    return "the certificate ended on " + date_of(facts.not_after_ms) +
           ": have the recipient send a new one";
  }
  return std::nullopt;
}

Refusal refuse_key(X509* certificate, const CertificateFacts& facts) {
  const bool rsa = facts.key == RecipientKey::kRsa;
  const auto bits = static_cast<int>(facts.key_bits);
  if (rsa && (bits < kMinRsaBits || bits > kMaxRsaBits)) {
    return "the RSA key has " + std::to_string(bits) +
           " bits: 3072 to 8192 are wanted; have the recipient make a new key, best on P-256";
  }
  const PkeyCtxPtr context(
      EVP_PKEY_CTX_new_from_pkey(nullptr, X509_get0_pubkey(certificate), nullptr));
  if (!context || EVP_PKEY_public_check(context.get()) != 1) {
    return "the certificate's public key is not a valid one: have the recipient make a new key";
  }
  const std::uint32_t usage = X509_get_key_usage(certificate);  // all bits set when there is none
  if ((X509_get_extension_flags(certificate) & EXFLAG_INVALID) != 0) {
    return "the certificate's extensions can't be read: have the recipient's CA issue a new one";
  }
  if ((usage & (rsa ? KU_KEY_ENCIPHERMENT : KU_KEY_AGREEMENT)) == 0) {
    return std::string("the certificate's keyUsage does not allow ") +
           (rsa ? "keyEncipherment" : "keyAgreement") +
           ", which receiving sealed data is: have the recipient's CA issue one that does";
  }
  return std::nullopt;
}

Refusal refuse_chain(X509* certificate, STACK_OF(X509) * others, std::string_view ca_pem,
                     std::int64_t now_ms) {
  const CertificatesPtr cas = from_pem(ca_pem);
  if (sk_X509_num(cas.get()) == 0) {
    return "the CA file holds no certificate (PEM, beginning -----BEGIN CERTIFICATE-----)";
  }
  const StorePtr store(X509_STORE_new());
  for (int i = 0; i < sk_X509_num(cas.get()); ++i) {
    X509_STORE_add_cert(store.get(), sk_X509_value(cas.get(), i));
  }
  const StoreCtxPtr context(X509_STORE_CTX_new());
  if (!context || X509_STORE_CTX_init(context.get(), store.get(), certificate, others) != 1) {
    return "OpenSSL can't check the chain: see that the files are certificates";
  }
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(parameters, now_ms / 1000);
  X509_VERIFY_PARAM_set_auth_level(parameters, kChainSecurityLevel);
  // An intermediate CA that the operator trusts is enough.
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
  if (X509_verify_cert(context.get()) == 1) return std::nullopt;
  return std::string("the certificate does not chain to the CA given (") +
         X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())) +
         "): give the CA that issued it, and intermediates behind it in its own file";
}

Refusal refuse_pin(const CertificateFacts& facts, std::string_view pin) {
  if (base::same_text(facts.spki_sha256, pin)) return std::nullopt;
  return "the certificate's key has the pin " + facts.spki_sha256 +
         ", not the one given: ask the recipient, on another way, which one is right";
}

}  // namespace

std::expected<CheckedCertificate, std::string> check_recipient_certificate(
    std::string_view pem_or_der, const CertificateTrust& trust, std::int64_t now_ms) {
  CertificatesPtr others;
  const X509Ptr certificate = read_certificate(pem_or_der, others);
  ERR_clear_error();  // the end of a PEM file is an error there
  if (!certificate) {
    return std::unexpected(
        "no certificate in it: give the recipient's certificate as PEM (beginning -----BEGIN "
        "CERTIFICATE-----) or DER");
  }
  auto facts = facts_of(certificate.get());
  if (!facts) {
    return std::unexpected(
        "the certificate's key is of a kind that nothing is sealed to: have the recipient make "
        "one on P-256 or P-384 (named curve), or RSA of 3072 bits or more");
  }
  Refusal refusal = refuse_key(certificate.get(), *facts);
  if (!refusal) refusal = refuse_validity(*facts, now_ms);
  if (!refusal && trust.ca_pem.empty() && trust.spki_sha256.empty()) {
    refusal = "nothing vouches for the certificate: give the CA that issued it, or its key's pin";
  }
  if (!refusal && !trust.spki_sha256.empty()) refusal = refuse_pin(*facts, trust.spki_sha256);
  if (!refusal && !trust.ca_pem.empty()) {
    refusal = refuse_chain(certificate.get(), others.get(), trust.ca_pem, now_ms);
  }
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate.get(), &der);
  if (!refusal && size <= 0) refusal = "OpenSSL can't encode the certificate: issue a new one";
  CheckedCertificate out{{{}, facts->not_before_ms, facts->not_after_ms}, *facts};
  if (size > 0) out.certificate.der.assign(der, der + size);
  OPENSSL_free(der);
  ERR_clear_error();
  if (refusal) return std::unexpected(std::move(*refusal));
  return out;
}

}  // namespace cardvault::seal
