#include "vault/pki/issue.h"

#include <algorithm>
#include <ctime>

#include "vault/core/pan.h"
#include "vault/core/text_form.h"
#include "vault/pki/extensions.h"
#include "vault/seal/p256.h"

namespace cardvault::pki {
namespace {

using base::Code;
using seal::openssl_failure;
using seal::X509Ptr;

using IntegerPtr = std::unique_ptr<ASN1_INTEGER, seal::OpensslFree<ASN1_INTEGER_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, seal::OpensslFree<ASN1_TIME_free>>;
using NamePtr = std::unique_ptr<X509_NAME, seal::OpensslFree<X509_NAME_free>>;
using RevokedPtr = std::unique_ptr<X509_REVOKED, seal::OpensslFree<X509_REVOKED_free>>;

X509Ptr read(std::span<const std::uint8_t> der) {
  const unsigned char* at = der.data();
  return X509Ptr(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
}

IntegerPtr integer(const Serial& serial) {
  const seal::NumberPtr number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  return IntegerPtr(number ? BN_to_ASN1_INTEGER(number.get(), nullptr) : nullptr);
}

// UTCTime up to 2049, then GeneralizedTime (RFC 5280 4.1.2.5).
TimePtr time_of(std::int64_t ms) {
  return TimePtr(ASN1_TIME_set(nullptr, static_cast<std::time_t>(ms / 1000)));
}

NamePtr named(const std::string& common_name) {
  NamePtr name(X509_NAME_new());
  const auto* text = reinterpret_cast<const unsigned char*>(common_name.data());
  if (!name || X509_NAME_add_entry_by_NID(name.get(), NID_commonName, MBSTRING_UTF8, text,
                                          static_cast<int>(common_name.size()), -1, 0) != 1) {
    return nullptr;
  }
  return name;
}

// What every certificate has, without extensions.
X509Ptr begin(const std::string& subject, const X509_NAME* issuer, const Serial& serial,
              const Validity& validity, EVP_PKEY* key) {
  X509Ptr out(X509_new());
  const NamePtr name = named(subject);
  const IntegerPtr number = integer(serial);
  const TimePtr from = time_of(validity.not_before_ms);
  const TimePtr to = time_of(validity.not_after_ms);
  const bool good =
      out && name && number && from && to && X509_set_version(out.get(), X509_VERSION_3) == 1 &&
      X509_set_subject_name(out.get(), name.get()) == 1 &&
      X509_set_issuer_name(out.get(), issuer == nullptr ? name.get() : issuer) == 1 &&
      X509_set_serialNumber(out.get(), number.get()) == 1 &&
      X509_set1_notBefore(out.get(), from.get()) == 1 &&
      X509_set1_notAfter(out.get(), to.get()) == 1 && X509_set_pubkey(out.get(), key) == 1;
  return good ? std::move(out) : nullptr;
}

bool add_revoked(X509_CRL* list, const Revoked& one) {
  RevokedPtr entry(X509_REVOKED_new());
  const IntegerPtr number = integer(one.serial);
  const TimePtr time = time_of(one.time_ms);
  if (!entry || !number || !time || X509_REVOKED_set_serialNumber(entry.get(), number.get()) != 1 ||
      X509_REVOKED_set_revocationDate(entry.get(), time.get()) != 1 ||
      X509_CRL_add0_revoked(list, entry.get()) != 1) {
    return false;
  }
  static_cast<void>(entry.release());  // the list has it
  return true;
}

bool number_list(X509_CRL* list, std::uint64_t number) {
  const IntegerPtr value(ASN1_INTEGER_new());
  return value && ASN1_INTEGER_set_uint64(value.get(), number) == 1 &&
         X509_CRL_add1_ext_i2d(list, NID_crl_number, value.get(), 0, 0) == 1;
}

}  // namespace

base::Result<Serial> draw_serial(
    const std::function<base::Result<void>(std::span<std::uint8_t>)>& random) {
  Serial serial{};
  do {
    if (auto made = random(serial); !made) return std::unexpected(made.error());
    // Positive, and of one length: the first bit 0, the next 1.
    serial[0] = static_cast<std::uint8_t>((serial[0] & 0x3fU) | 0x40U);
  } while (core::contains_pan(core::to_hex(serial)));
  return serial;
}

base::Result<Der> make_ca_certificate(const CaKey& ca, const std::string& name,
                                      const Serial& serial, const Validity& validity) {
  const seal::PkeyPtr key = seal::p256_key(ca.public_key.point);
  if (!key) return openssl_failure("pki.ca key");
  const X509Ptr made = begin(name, nullptr, serial, validity, key.get());
  if (!made ||
      !add_extension(made.get(), made.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(made.get(), made.get(), NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(made.get(), made.get(), NID_subject_key_identifier, "hash")) {
    return openssl_failure("pki.ca certificate");
  }
  return sign_certificate(made.get(), ca);
}

base::Result<Der> make_client_certificate(const CaKey& ca,
                                          std::span<const std::uint8_t> ca_certificate,
                                          const ClientCertificate& wanted) {
  const X509Ptr issuer = read(ca_certificate);
  const unsigned char* at = wanted.spki.data();
  const seal::PkeyPtr key(d2i_PUBKEY(nullptr, &at, static_cast<long>(wanted.spki.size())));
  if (!issuer || !key) {
    ERR_clear_error();
    return base::fail(Code::kInvalidArgument, "pki.client certificate");
  }
  const X509Ptr made = begin(wanted.client, X509_get_subject_name(issuer.get()), wanted.serial,
                             wanted.validity, key.get());
  if (!made) return openssl_failure("pki.client certificate");
  if (!add_name(made.get(), wanted.san)) {
    return base::fail(Code::kInvalidArgument, "pki.client name");
  }
  if (!add_extension(made.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(made.get(), issuer.get(), NID_key_usage, "critical,digitalSignature") ||
      !add_extension(made.get(), issuer.get(), NID_ext_key_usage, "clientAuth") ||
      !add_extension(made.get(), issuer.get(), NID_subject_key_identifier, "hash") ||
      !add_extension(made.get(), issuer.get(), NID_authority_key_identifier, "keyid:always")) {
    return openssl_failure("pki.client certificate");
  }
  return sign_certificate(made.get(), ca);
}

base::Result<Der> make_revocation_list(const CaKey& ca,
                                       std::span<const std::uint8_t> ca_certificate,
                                       const RevocationList& wanted) {
  const X509Ptr issuer = read(ca_certificate);
  if (!issuer) return base::fail(Code::kInvalidArgument, "pki.revocation list");
  const CrlPtr made(X509_CRL_new());
  const TimePtr from = time_of(wanted.this_update_ms);
  const TimePtr to = time_of(wanted.next_update_ms);
  if (!made || !from || !to || X509_CRL_set_version(made.get(), X509_CRL_VERSION_2) != 1 ||
      X509_CRL_set_issuer_name(made.get(), X509_get_subject_name(issuer.get())) != 1 ||
      X509_CRL_set1_lastUpdate(made.get(), from.get()) != 1 ||
      X509_CRL_set1_nextUpdate(made.get(), to.get()) != 1 ||
      !add_authority(made.get(), issuer.get()) || !number_list(made.get(), wanted.number) ||
      !std::ranges::all_of(wanted.revoked,
                           [&](const Revoked& one) { return add_revoked(made.get(), one); })) {
    return openssl_failure("pki.revocation list");
  }
  return sign_revocation_list(made.get(), ca);
}

std::int64_t end_of_certificate_ms(std::span<const std::uint8_t> certificate) {
  const X509Ptr read_one = read(certificate);
  std::tm end{};
  const bool good = read_one && ASN1_TIME_to_tm(X509_get0_notAfter(read_one.get()), &end) == 1;
  ERR_clear_error();
  return good ? std::int64_t{::timegm(&end)} * 1000 : 0;
}

}  // namespace cardvault::pki
