#include "vault/pki/certificate_request.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include <array>

#include "vault/core/text_form.h"

namespace cardvault::pki {
namespace {

using RequestPtr = std::unique_ptr<X509_REQ, seal::OpensslFree<X509_REQ_free>>;
using MemoryPtr = std::unique_ptr<BIO, seal::OpensslFree<BIO_free_all>>;

constexpr std::size_t kMaxBytes = 64UZ * 1024;
constexpr int kLeastRsaBits = 3072;
constexpr int kMostRsaBits = 8192;  // a larger one makes each handshake slow
constexpr std::string_view kWanted =
    "wanted is EC on P-256 or P-384, Ed25519, or RSA of 3072 to 8192 bits";

RequestPtr read(std::string_view text) {
  if (text.size() > kMaxBytes) return nullptr;
  if (text.find("-----BEGIN ") != std::string_view::npos) {
    const MemoryPtr in(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    return RequestPtr(in ? PEM_read_bio_X509_REQ(in.get(), nullptr, nullptr, nullptr) : nullptr);
  }
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const unsigned char* const end = at + text.size();
  RequestPtr out(d2i_X509_REQ(nullptr, &at, static_cast<long>(text.size())));
  return at == end ? std::move(out) : nullptr;
}

// "" for a kind that is not taken; `why` says more.
std::string name_of(const EVP_PKEY* key, std::string& why) {
  const int bits = EVP_PKEY_get_bits(key);
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      why = "its RSA key has " + std::to_string(bits) + " bits";
      return bits >= kLeastRsaBits && bits <= kMostRsaBits ? "RSA " + std::to_string(bits) : "";
    case EVP_PKEY_ED25519:
      return "Ed25519";
    case EVP_PKEY_EC: {
      std::array<char, 64> group{};
      EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr);
      why = "its EC key is on " + std::string(group.data());
      // Spelled-out parameters may name another base point of the same curve (RFC 5480 2.1.1).
      std::array<char, 32> form{};
      EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, form.data(), form.size(),
                                     nullptr);
      if (std::string_view(form.data()) != OSSL_PKEY_EC_ENCODING_GROUP) {
        why = "its EC key does not name its curve";
        return "";
      }
      const int curve = OBJ_txt2nid(group.data());
      return curve == NID_X9_62_prime256v1 ? "EC P-256" : curve == NID_secp384r1 ? "EC P-384" : "";
    }
    default:
      why = "its key is of a kind that is not taken";
      return "";
  }
}

Der spki_of(X509_REQ* request) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(request), &der);
  if (size <= 0) return {};
  Der out(der, der + size);
  OPENSSL_free(der);
  return out;
}

std::expected<CertificateRequest, std::string> check(X509_REQ* request) {
  if (request == nullptr) {
    return std::unexpected(
        "that is no certificate request (PKCS#10): `openssl req -new -key client.key -subj "
        "/CN=client -out client.csr` makes one");
  }
  EVP_PKEY* key = X509_REQ_get0_pubkey(request);
  if (key == nullptr) {
    return std::unexpected("the request's key can't be read: " + std::string(kWanted));
  }
  CertificateRequest out;
  std::string why;
  out.key = name_of(key, why);
  if (out.key.empty()) return std::unexpected(why + ": " + std::string(kWanted));
  // Before the signature is checked: no arithmetic on keys that aren't taken.
  if (X509_REQ_verify(request, key) != 1) {
    return std::unexpected(
        "the request is not signed by its own key: it was changed, or whoever made it does not "
        "have the private key. Have the client make a new one");
  }
  out.spki = spki_of(request);
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(out.spki.data(), out.spki.size(), digest.data());
  out.spki_sha256 = core::to_hex(digest);
  return out;
}

}  // namespace

std::expected<CertificateRequest, std::string> check_request(std::string_view pem_or_der) {
  const RequestPtr request = read(pem_or_der);
  auto out = check(request.get());
  ERR_clear_error();
  return out;
}

}  // namespace cardvault::pki
