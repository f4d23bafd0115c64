#include "protocol/gate/verified_chains.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <limits>
#include <optional>

namespace cardvault::gate {
namespace {

// Of the certificate and of whatever the client sent to lead to an authority; empty: none.
std::string digests_of(const X509_STORE_CTX* check) {
  std::string all;
  const auto add = [&all](const X509* one) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    const bool good = one != nullptr && X509_digest(one, EVP_sha256(), digest.data(), &size) == 1;
    if (good) all.append(digest.begin(), digest.begin() + size);
    return good;
  };
  if (!add(X509_STORE_CTX_get0_cert(check))) return {};
  const STACK_OF(X509)* sent = X509_STORE_CTX_get0_untrusted(check);
  for (int i = 0; i < sk_X509_num(sent); ++i) {
    if (!add(sk_X509_value(sent, i))) return {};
  }
  return all;
}

std::optional<std::int64_t> end_of(const X509* certificate) {
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) return std::nullopt;
  return timegm(&end);
}

}  // namespace

int VerifiedChains::verify(X509_STORE_CTX* check, std::int64_t now_s) {
  const std::string sent = digests_of(check);
  if (recall(check, sent, now_s)) return 1;
  const int good = X509_verify_cert(check);
  if (good == 1 && !sent.empty()) remember(check, sent, now_s);
  return good;
}

std::int64_t VerifiedChains::holds_until(std::int64_t now_s) const {
  const auto next = std::ranges::upper_bound(list_ends_, now_s);
  return next == list_ends_.end() ? std::numeric_limits<std::int64_t>::max() : *next;
}

bool VerifiedChains::recall(X509_STORE_CTX* check, const std::string& sent, std::int64_t now_s) {
  const std::scoped_lock lock(mutex_);
  const auto found = known_.find(sent);
  if (found == known_.end()) return false;
  const Known& known = found->second;
  if (now_s < known.since_s || now_s >= known.until_s) return false;
  STACK_OF(X509)* chain = X509_chain_up_ref(known.chain.get());
  if (chain == nullptr) return false;
  X509_STORE_CTX_set0_verified_chain(check, chain);
  X509_STORE_CTX_set_error(check, X509_V_OK);
  return true;
}

void VerifiedChains::remember(X509_STORE_CTX* check, const std::string& sent, std::int64_t now_s) {
  Known known{decltype(Known::chain)(X509_STORE_CTX_get1_chain(check)), now_s, holds_until(now_s)};
  if (known.chain == nullptr) return;
  for (int i = 0; i < sk_X509_num(known.chain.get()); ++i) {
    const auto end = end_of(sk_X509_value(known.chain.get(), i));
    if (!end) return;
    known.until_s = std::min(known.until_s, *end);
  }
  const std::scoped_lock lock(mutex_);
  if (known_.size() >= kMost) known_.clear();  // those in use are back with their next connection
  known_.insert_or_assign(sent, std::move(known));
}

}  // namespace cardvault::gate
