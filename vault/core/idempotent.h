// One request under an Idempotency-Key: its first answer is kept for a day and replayed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vault/core/services.h"
#include "vault/core/store.h"

namespace cardvault::core {

inline constexpr std::int64_t kIdempotencyMs = 86'400'000;  // an answer is kept 24 hours

// Part of an operation. Keeps keyed fingerprints of key and body only. Without a key every call
// does nothing. Threads as the operation's.
class Idempotent {
 public:
  explicit Idempotent(Services& services) : services_(services) {}

  // prepare(): the first answer when there is one. `bytes` are the request's, without the key.
  // kIdempotencyRunning while another request runs under this client's key, kIdempotencyMismatch
  // when the first one had another body; errors of Reader and Crypto.
  [[nodiscard]] base::Result<std::optional<Answer>> look(Reader& reader, const std::string& client,
                                                         const std::string& key,
                                                         const base::SecretBuffer& bytes);
  // First part of apply(): kConflict when an answer has been kept since.
  [[nodiscard]] base::Result<void> still_first(Transaction& tx) const;
  // Last part of apply().
  [[nodiscard]] base::Result<void> keep(Transaction& tx, const Answer& answer) const;
  // With the answer: whoever has seen it may use the key again.
  void release() { hold_.reset(); }

 private:
  Services& services_;
  std::optional<IdempotencyGuard::Hold> hold_;
  // A keyed fingerprint of the key, and of the body, by one version of id-index.
  struct Kept {
    std::string key;
    Fingerprint body_fp{};
    std::uint32_t fp_version = 0;
  };
  [[nodiscard]] base::Result<std::optional<IdempotencyRow>> find(Reader& reader,
                                                                 const Kept& kept) const;

  std::string client_;
  // The first is what this request is kept by, the others what it may have been kept by before a
  // rotation; none: the request has no key.
  std::vector<Kept> kept_;
};

}  // namespace cardvault::core
