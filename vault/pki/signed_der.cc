#include "vault/pki/signed_der.h"

#include <openssl/ec.h>

#include "vault/base/check.h"
#include "vault/seal/p256.h"

namespace cardvault::pki {
namespace {

using seal::openssl_failure;
using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kPemLine = 64;

// The length of the first element, its header included; 0 when there is none.
std::size_t element_size(Bytes der, std::size_t* header = nullptr) {
  const unsigned char* at = der.data();
  long size = 0;
  int tag = 0;
  int tag_class = 0;
  if (ASN1_get_object(&at, &size, &tag, &tag_class, static_cast<long>(der.size())) & 0x80) return 0;
  const auto head = static_cast<std::size_t>(at - der.data());
  if (header != nullptr) *header = head;
  return head + static_cast<std::size_t>(size);
}

void append_header(Der& out, int tag, bool constructed, std::size_t size) {
  std::uint8_t header[16];
  unsigned char* at = header;
  ASN1_put_object(&at, constructed ? 1 : 0, static_cast<int>(size), tag, V_ASN1_UNIVERSAL);
  out.insert(out.end(), header, at);
}

// SEQUENCE { tbs, algorithm, BIT STRING } (RFC 5280 4.1 and 5.1): the last one is exchanged.
base::Result<Der> sign_anew(const Der& signed_by_other, const CaKey& ca) {
  std::size_t outer = 0;
  if (element_size(signed_by_other, &outer) != signed_by_other.size()) {
    return base::fail(base::Code::kInternal, "pki.sign");
  }
  const Bytes content = Bytes(signed_by_other).subspan(outer);
  const std::size_t tbs = element_size(content);
  const std::size_t algorithm = element_size(content.subspan(tbs));
  const auto raw = ca.sign(content.first(tbs));
  if (!raw) return std::unexpected(raw.error());
  const Der signature = seal::ecdsa_der(*raw);

  Der inner(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(tbs + algorithm));
  append_header(inner, V_ASN1_BIT_STRING, false, signature.size() + 1);
  inner.push_back(0);  // no unused bits
  inner.insert(inner.end(), signature.begin(), signature.end());
  Der out;
  append_header(out, V_ASN1_SEQUENCE, true, inner.size());
  out.insert(out.end(), inner.begin(), inner.end());
  return out;
}

template <class T, auto Encode>
Der encode(T* object) {
  unsigned char* der = nullptr;
  const int size = Encode(object, &der);
  if (size <= 0) return {};
  Der out(der, der + size);
  OPENSSL_free(der);
  return out;
}

// OpenSSL names an object's algorithm, and encodes it, only as it signs: a key that is thrown away
// signs first.
template <class T, auto Sign, auto Encode>
base::Result<Der> sign_twice(T* object, const CaKey& ca) {
  const seal::PkeyPtr thrown_away(EVP_EC_gen("P-256"));
  if (!thrown_away || Sign(object, thrown_away.get(), EVP_sha256()) <= 0) {
    return openssl_failure("pki.encode");
  }
  const Der der = encode<T, Encode>(object);
  if (der.empty()) return openssl_failure("pki.encode");
  return sign_anew(der, ca);
}

}  // namespace

base::Result<Der> sign_certificate(X509* certificate, const CaKey& ca) {
  auto der = sign_twice<X509, X509_sign, i2d_X509>(certificate, ca);
  if (!der) return der;
  const seal::PkeyPtr key = seal::p256_key(ca.public_key.point);
  const unsigned char* at = der->data();
  const seal::X509Ptr made(d2i_X509(nullptr, &at, static_cast<long>(der->size())));
  if (!key || !made || X509_verify(made.get(), key.get()) != 1) {
    return openssl_failure("pki.verify");
  }
  return der;
}

base::Result<Der> sign_revocation_list(X509_CRL* list, const CaKey& ca) {
  auto der = sign_twice<X509_CRL, X509_CRL_sign, i2d_X509_CRL>(list, ca);
  if (!der) return der;
  const seal::PkeyPtr key = seal::p256_key(ca.public_key.point);
  const unsigned char* at = der->data();
  const CrlPtr made(d2i_X509_CRL(nullptr, &at, static_cast<long>(der->size())));
  if (!key || !made || X509_CRL_verify(made.get(), key.get()) != 1) {
    return openssl_failure("pki.verify");
  }
  return der;
}

std::string to_pem(std::string_view label, Bytes der) {
  std::string base64((der.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()), der.data(),
                                   static_cast<int>(der.size()));
  base64.resize(static_cast<std::size_t>(size));
  std::string out = "-----BEGIN " + std::string(label) + "-----\n";
  for (std::size_t at = 0; at < base64.size(); at += kPemLine) {
    out += base64.substr(at, kPemLine) + "\n";
  }
  return out + "-----END " + std::string(label) + "-----\n";
}

}  // namespace cardvault::pki
