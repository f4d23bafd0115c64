#include "protocol/gate/trust.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <optional>
#include <vector>

#include "protocol/gate/verified_chains.h"
#include "vault/base/check.h"
#include "vault/base/result.h"

namespace cardvault::gate {
namespace {

struct CertificateFree {
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};
struct FileFree {
  void operator()(BIO* file) const noexcept { BIO_free(file); }
};
using CertificatePtr = std::unique_ptr<X509, CertificateFree>;

// Belongs to the store, which may outlive a reload: connections hold it.
struct Trust {
  bool outside_list = false;
  std::vector<CertificatePtr> vault_cas;
  std::optional<VerifiedChains> verified;

  [[nodiscard]] bool of_vault(const X509_NAME* issuer) const {
    return std::ranges::any_of(vault_cas, [issuer](const CertificatePtr& ca) {
      return X509_NAME_cmp(X509_get_subject_name(ca.get()), issuer) == 0;
    });
  }
};

void free_trust(void*, void* trust, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<Trust*>(trust);
}

int trust_index() {
  static const int index =
      CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_X509_STORE, 0, nullptr, nullptr, nullptr, free_trust);
  return index;
}

Trust* trust_of(const X509_STORE* store) {
  return static_cast<Trust*>(X509_STORE_get_ex_data(store, trust_index()));
}

int verify_or_recall(X509_STORE_CTX* check, void*) {
  return trust_of(X509_STORE_CTX_get0_store(check))->verified->verify(check, std::time(nullptr));
}

// When the lists end, the first one first.
std::vector<std::int64_t> list_ends(const X509_STORE* store) {
  const STACK_OF(X509_OBJECT)* objects = X509_STORE_get0_objects(store);
  std::vector<std::int64_t> ends;
  for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
    const X509_CRL* list = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i));
    std::tm end{};
    if (list != nullptr && ASN1_TIME_to_tm(X509_CRL_get0_nextUpdate(list), &end) == 1) {
      ends.push_back(timegm(&end));
    }
  }
  std::ranges::sort(ends);
  return ends;
}

// The checks of lists are of the store: an outside CA for which no list is configured is excused.
int excuse_missing_list(int good, X509_STORE_CTX* check) {
  if (good == 1 || X509_STORE_CTX_get_error(check) != X509_V_ERR_UNABLE_TO_GET_CRL) return good;
  const Trust* trust = trust_of(X509_STORE_CTX_get0_store(check));
  const X509* certificate = X509_STORE_CTX_get_current_cert(check);
  if (trust == nullptr || certificate == nullptr || trust->outside_list ||
      trust->of_vault(X509_get_issuer_name(certificate))) {
    return 0;
  }
  X509_STORE_CTX_set_error(check, X509_V_OK);
  return 1;
}

std::vector<CertificatePtr> certificates_in(const std::string& path) {
  const std::unique_ptr<BIO, FileFree> file(BIO_new_file(path.c_str(), "r"));
  std::vector<CertificatePtr> out;
  while (file != nullptr) {
    CertificatePtr one(PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr));
    if (one == nullptr) break;
    out.push_back(std::move(one));
  }
  ERR_clear_error();  // the end of the file is one
  return out;
}

void add_names(STACK_OF(X509_NAME) * names, const std::string& key, const std::string& path) {
  if (SSL_add_file_cert_subjects_to_stack(names, path.c_str()) != 1) refuse_file(key, path);
}

}  // namespace

void refuse_file(const std::string& key, const std::string& file) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  const std::string text = reason == nullptr ? "unreadable" : reason;
  ERR_clear_error();
  throw base::StartupError(key + " = \"" + file + "\": " + text +
                           "; it must be a readable PEM file of the right kind");
}

void load_trust(SSL_CTX* context, const Config& config) {
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  X509_LOOKUP* lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
  STACK_OF(X509_NAME)* names = sk_X509_NAME_new_null();
  auto trust = std::make_unique<Trust>();
  CARDVAULT_CHECK(lookup != nullptr && names != nullptr);
  SSL_CTX_set_client_CA_list(context, names);  // the context has it from here on
  if (!config.client_ca.empty()) {
    if (SSL_CTX_load_verify_file(context, config.client_ca.c_str()) != 1) {
      refuse_file("client_ca", config.client_ca);
    }
    add_names(names, "client_ca", config.client_ca);
  }
  if (!config.crl.empty()) {
    trust->outside_list = true;
    if (X509_load_crl_file(lookup, config.crl.c_str(), X509_FILETYPE_PEM) < 1) {
      refuse_file("crl", config.crl);
    }
  }
  if (!config.vault_ca.empty() && ::access(config.vault_ca.c_str(), F_OK) == 0) {
    trust->vault_cas = certificates_in(config.vault_ca);
    if (trust->vault_cas.empty() ||
        X509_load_cert_crl_file(lookup, config.vault_ca.c_str(), X509_FILETYPE_PEM) < 2) {
      refuse_file("vault_ca", config.vault_ca);
    }
    add_names(names, "vault_ca", config.vault_ca);
  }
  if (trust->outside_list || !trust->vault_cas.empty()) {
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    X509_STORE_set_verify_cb(store, excuse_missing_list);
  }
  trust->verified.emplace(list_ends(store));
  CARDVAULT_CHECK(X509_STORE_set_ex_data(store, trust_index(), trust.release()) == 1);
  SSL_CTX_set_cert_verify_callback(context, verify_or_recall, nullptr);
}

std::int64_t holds_until(const SSL_CTX* context, std::int64_t now_s) {
  return trust_of(SSL_CTX_get_cert_store(context))->verified->holds_until(now_s);
}

bool enrolled_by_vault(const SSL* ssl) {
  STACK_OF(X509)* chain = SSL_get0_verified_chain(ssl);
  const Trust* trust = trust_of(SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)));
  if (chain == nullptr || trust == nullptr || sk_X509_num(chain) == 0) return false;
  const X509* anchor = sk_X509_value(chain, sk_X509_num(chain) - 1);
  return std::ranges::any_of(trust->vault_cas, [anchor](const CertificatePtr& ca) {
    return X509_cmp(ca.get(), anchor) == 0;
  });
}

}  // namespace cardvault::gate
