#include "vault/seal/certificate_parts.h"

#include <openssl/sha.h>

#include <array>
#include <ctime>

#include "vault/core/text_form.h"

namespace cardvault::seal {
namespace {

std::int64_t ms_of(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? std::int64_t{::timegm(&parts)} * 1000 : 0;
}

std::optional<RecipientKey> kind_of(const EVP_PKEY* key) {
  if (key == nullptr) return std::nullopt;
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) return RecipientKey::kRsa;
  std::array<char, 64> group{};
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
      EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) != 1) {
    return std::nullopt;
  }
  switch (OBJ_txt2nid(group.data())) {
    case NID_X9_62_prime256v1:
      return RecipientKey::kP256;
    case NID_secp384r1:
      return RecipientKey::kP384;
    default:
      return std::nullopt;
  }
}

std::string subject_of(const X509* certificate) {
  const MemoryPtr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string pin_of(const X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) return "";
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(der, static_cast<std::size_t>(size), digest.data());
  OPENSSL_free(der);
  return core::to_hex(digest);
}

}  // namespace

X509Ptr certificate_from_der(std::span<const std::uint8_t> der) {
  const unsigned char* at = der.data();
  X509Ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (certificate && at != der.data() + der.size()) return nullptr;
  return certificate;
}

std::optional<CertificateFacts> facts_of(const X509* certificate) {
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  const auto kind = kind_of(key);
  if (!kind) return std::nullopt;
  return CertificateFacts{.subject = subject_of(certificate),
                          .spki_sha256 = pin_of(certificate),
                          .key = *kind,
                          .key_bits = static_cast<unsigned>(EVP_PKEY_get_bits(key)),
                          .not_before_ms = ms_of(X509_get0_notBefore(certificate)),
                          .not_after_ms = ms_of(X509_get0_notAfter(certificate))};
}

std::string_view recipient_key_name(RecipientKey key) noexcept {
  switch (key) {
    case RecipientKey::kP256:
      return "EC P-256";
    case RecipientKey::kP384:
      return "EC P-384";
    case RecipientKey::kRsa:
      return "RSA";
  }
  return "";
}

base::Result<CertificateFacts> certificate_facts(std::span<const std::uint8_t> der) {
  const X509Ptr certificate = certificate_from_der(der);
  auto facts = certificate ? facts_of(certificate.get()) : std::nullopt;
  ERR_clear_error();
  if (!facts) return base::fail(base::Code::kInvalidArgument, "certificate");
  return std::move(*facts);
}

}  // namespace cardvault::seal
