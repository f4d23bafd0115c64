// Certificates that a gate has verified before: a web tier opens many connections with few of them.
#pragma once

#include <openssl/x509_vfy.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace cardvault::gate {

// Of one set of authorities and revocation lists, which doesn't change: what they vouched for, they
// vouch for again, until a certificate of the chain or the next list ends. That saves the
// signatures of the chain and of the lists; that the client has the key is verified each time.
// Thread-safe. Times are seconds since 1970.
class VerifiedChains {
 public:
  // When the lists end (nextUpdate), the first one first.
  explicit VerifiedChains(std::vector<std::int64_t> list_ends) : list_ends_(std::move(list_ends)) {}

  // As X509_verify_cert(), at this time; for SSL_CTX_set_cert_verify_callback().
  [[nodiscard]] int verify(X509_STORE_CTX* check, std::int64_t now_s);
  // Until when a verification at `now` holds: until the next list ends.
  [[nodiscard]] std::int64_t holds_until(std::int64_t now_s) const;

 private:
  static constexpr std::size_t kMost = 256;
  struct ChainFree {
    void operator()(STACK_OF(X509) * chain) const noexcept { sk_X509_pop_free(chain, X509_free); }
  };
  struct Known {
    std::unique_ptr<STACK_OF(X509), ChainFree> chain;
    std::int64_t since_s, until_s;
  };

  [[nodiscard]] bool recall(X509_STORE_CTX* check, const std::string& sent, std::int64_t now_s);
  void remember(X509_STORE_CTX* check, const std::string& sent, std::int64_t now_s);

  const std::vector<std::int64_t> list_ends_;
  std::mutex mutex_;
  std::unordered_map<std::string, Known> known_;  // by the digests of what was sent
};

}  // namespace cardvault::gate
