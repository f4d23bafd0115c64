// One request under an Idempotency-Key: its first answer is kept for a day and replayed.
#pragma once

#include <optional>
#include <string>

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
  std::string client_;
  std::string key_;  // a keyed fingerprint of the key; "": none
  Fingerprint body_fp_{};
  std::uint32_t fp_version_ = 0;
};

}  // namespace cardvault::core
