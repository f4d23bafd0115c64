#include "provisioning/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <limits>
#include <memory>

#include "provisioning/exit_code.h"

namespace cardvault::provisioning {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using X509Ptr = std::unique_ptr<X509, Deleter<X509_free>>;
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using CrlPtr = std::unique_ptr<X509_CRL, Deleter<X509_CRL_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>>;

std::int64_t seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? ::timegm(&parts) : 0;
}

std::string pin_of(X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) return "";
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(der, static_cast<std::size_t>(size), digest.data());
  OPENSSL_free(der);
  std::string hex;
  for (const unsigned char byte : digest) {
    constexpr const char* kDigits = "0123456789abcdef";
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 15U];
  }
  return hex;
}

std::vector<std::string> sans_of(X509* certificate) {
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> sans;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS && name->type != GEN_URI) continue;
    const ASN1_IA5STRING* text = name->d.ia5;
    sans.push_back((name->type == GEN_DNS ? "dns:" : "uri:") +
                   std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                               static_cast<std::size_t>(ASN1_STRING_length(text))));
  }
  return sans;
}

std::string subject_of(X509* certificate) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

BioPtr open_file(const std::string& path) {
  errno = 0;
  BioPtr in(BIO_new_file(path.c_str(), "r"));
  if (in) return in;
  throw ToolError(ExitCode::kLocal, errno == ENOENT
                                        ? path + " is missing"
                                        : path + " can't be read: " + std::strerror(errno));
}

X509Ptr load_certificate(const std::string& path) {
  const BioPtr in = open_file(path);
  X509Ptr certificate(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  if (!certificate) {
    throw ToolError(ExitCode::kLocal,
                    path + ": no certificate in it (PEM, beginning -----BEGIN CERTIFICATE-----)");
  }
  return certificate;
}

// A gate has nobody to ask for one, nor has the tool.
int no_passphrase(char* /*text*/, int /*size*/, int /*writing*/, void* /*ours*/) { return -1; }

}  // namespace

Certificate read_certificate(const std::string& path) {
  const X509Ptr certificate = load_certificate(path);
  Certificate result{.subject = subject_of(certificate.get()),
                     .spki_sha256 = pin_of(certificate.get()),
                     .sans = sans_of(certificate.get())};
  result.not_after = seconds_of(X509_get0_notAfter(certificate.get()));
  return result;
}

std::int64_t crl_next_update(const std::string& path) {
  const BioPtr in = open_file(path);
  const CrlPtr list(PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr));
  if (!list) throw ToolError(ExitCode::kLocal, path + ": no revocation list in it (PEM)");
  const ASN1_TIME* next = X509_CRL_get0_nextUpdate(list.get());
  return next == nullptr ? std::numeric_limits<std::int64_t>::max() / 1000 : seconds_of(next);
}

std::optional<bool> key_fits(const std::string& certificate, const std::string& key) {
  const X509Ptr shown = load_certificate(certificate);
  const BioPtr in(BIO_new_file(key.c_str(), "r"));
  if (!in) return std::nullopt;
  const KeyPtr kept(PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, nullptr));
  const bool fits = kept && X509_check_private_key(shown.get(), kept.get()) == 1;
  ERR_clear_error();
  return fits;
}

}  // namespace cardvault::provisioning
