#include "vault/pki/extensions.h"

namespace cardvault::pki {
namespace {

using ExtensionPtr = std::unique_ptr<X509_EXTENSION, seal::OpensslFree<X509_EXTENSION_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, seal::OpensslFree<GENERAL_NAMES_free>>;

}  // namespace

bool add_extension(X509* certificate, const X509* issuer, int nid, const char* value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, const_cast<X509*>(issuer), certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_authority(X509_CRL* list, X509* issuer) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, nullptr, nullptr, list, 0);
  const ExtensionPtr extension(
      X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
  return extension != nullptr && X509_CRL_add_ext(list, extension.get(), -1) == 1;
}

bool add_name(X509* certificate, const std::string& san) {
  const bool dns = san.starts_with("dns:");
  if (!dns && !san.starts_with("uri:")) return false;
  const std::string value = san.substr(4);
  const NamesPtr names(sk_GENERAL_NAME_new_null());
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_IA5STRING* text = ASN1_IA5STRING_new();
  if (!names || name == nullptr || text == nullptr ||
      ASN1_STRING_set(text, value.data(), static_cast<int>(value.size())) != 1 ||
      sk_GENERAL_NAME_push(names.get(), name) <= 0) {
    GENERAL_NAME_free(name);
    ASN1_IA5STRING_free(text);
    return false;
  }
  GENERAL_NAME_set0_value(name, dns ? GEN_DNS : GEN_URI, text);
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1;
}

}  // namespace cardvault::pki
