#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "protocol/gate/tls.h"
#include "protocol/gate/trust.h"
#include "vault/base/ascii.h"

namespace cardvault::gate {
namespace {

constexpr int kMaxSans = 32;
constexpr int kMaxSanBytes = 255;
// Names that the vault gives to clients it enrolls; an outside CA's word for them counts nothing.
constexpr std::string_view kEnrolled = "uri:urn:cardvault:client:";

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* p) const noexcept {
    Free(p);
  }
};
void free_text(char* text) noexcept { OPENSSL_free(text); }

bool digest_spki(X509* certificate, core::Caller& caller) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) return false;
  const bool done = EVP_Digest(der, static_cast<std::size_t>(size), caller.spki_sha256.data(),
                               nullptr, EVP_sha256(), nullptr) == 1;
  OPENSSL_free(der);
  return done;
}

std::string serial_of(X509* certificate) {
  const std::unique_ptr<BIGNUM, Freer<BN_free>> number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  if (number == nullptr) return "";
  const std::unique_ptr<char, Freer<free_text>> text(BN_bn2hex(number.get()));
  std::string serial = text == nullptr ? "" : text.get();
  if (serial.size() > 64) serial.resize(64);
  std::ranges::transform(serial, serial.begin(), base::lower);
  return serial;
}

// "dns:…" or "uri:…"; empty for other kinds and for names that could be read in two ways.
std::string san_text(const GENERAL_NAME* name) {
  int kind = 0;
  const auto* value = static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(name, &kind));
  if (kind != GEN_DNS && kind != GEN_URI) return "";
  const int size = ASN1_STRING_length(value);
  const auto* data = reinterpret_cast<const char*>(ASN1_STRING_get0_data(value));
  if (size <= 0 || size > kMaxSanBytes) return "";
  std::string text(data, static_cast<std::size_t>(size));
  if (!std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; })) return "";
  if (kind == GEN_URI) return "uri:" + text;
  std::ranges::transform(text, text.begin(), base::lower);
  return "dns:" + text;
}

std::vector<std::string> sans_of(X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> sans;
  if (names == nullptr) return sans;
  const int count = std::min(sk_GENERAL_NAME_num(names.get()), kMaxSans);
  for (int i = 0; i < count; ++i) {
    std::string san = san_text(sk_GENERAL_NAME_value(names.get(), i));
    if (!san.empty()) sans.push_back(std::move(san));
  }
  return sans;
}

}  // namespace

base::Result<Peer> identity_in(X509* certificate, bool enrolled) {
  Peer peer;
  std::tm end{};
  if (!digest_spki(certificate, peer.caller) ||
      ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) {
    ERR_clear_error();
    return base::fail(base::Code::kClientUnknown, "peer certificate");
  }
  peer.not_after_s = timegm(&end);
  peer.caller.sans = sans_of(certificate);
  if (!enrolled) {
    std::erase_if(peer.caller.sans, [](const auto& san) { return san.starts_with(kEnrolled); });
  }
  peer.caller.serial = serial_of(certificate);
  ERR_clear_error();
  return peer;
}

base::Result<Peer> peer_of(const SSL* ssl) {
  X509* certificate = SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr || SSL_get_verify_result(ssl) != X509_V_OK) {
    return base::fail(base::Code::kClientUnknown, "peer certificate");
  }
  return identity_in(certificate, enrolled_by_vault(ssl));
}

}  // namespace cardvault::gate
