// core::Crypto in memory, on OpenSSL's EVP: for unit tests. Passes the contract suite of the real
// one (tests/hsm/crypto_contract.h).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "vault/core/crypto.h"

namespace cardvault::fakes {

// Thread-safe.
class FakeCrypto final : public core::Crypto {
 public:
  // Version 1 of every key.
  FakeCrypto();
  ~FakeCrypto() override;

  // Adds a key, or replaces one by another of the same label.
  void add_key(core::KeyRef key);
  void remove_key(core::KeyRef key);
  void use_suite(core::Suite suite);  // for new encryptions
  // The next `count` calls after `after` more fail with this, whatever they are.
  void fail_next(base::Error error, int count = 1, int after = 0);
  // Down until up again: every call fails with kHsmUnavailable.
  void set_down(bool down);
  // How many calls there have been of all kinds, failed ones included.
  [[nodiscard]] std::uint64_t calls() const;
  [[nodiscard]] core::Suite suite(core::KeyRef key) const override;
  [[nodiscard]] base::Result<core::Mac> mac(core::KeyRef key,
                                            std::span<const std::uint8_t> data) override;
  [[nodiscard]] base::Result<core::Sealed> encrypt(core::KeyRef key,
                                                   std::span<const std::uint8_t> plaintext,
                                                   std::span<const std::uint8_t> aad) override;
  [[nodiscard]] base::Result<base::SecretBuffer> decrypt(
      core::KeyRef key, const core::Sealed& sealed, std::span<const std::uint8_t> aad) override;
  [[nodiscard]] base::Result<void> random(std::span<std::uint8_t> out) override;
  [[nodiscard]] base::Result<std::vector<std::uint8_t>> sign(
      core::KeyRef key, std::span<const std::uint8_t> data) override;
  [[nodiscard]] base::Result<core::SigningPublicKey> public_key(core::KeyRef key) const override;

 private:
  struct Key;
  // The key, or why this call fails; counts the call.
  [[nodiscard]] base::Result<const Key*> begin(core::KeyRef key);
  [[nodiscard]] base::Result<void> begin();

  mutable std::mutex mutex_;
  std::map<core::KeyRef, Key> keys_;
  std::deque<std::optional<base::Error>> failures_;  // of the next calls
  core::Suite suite_ = core::Suite::kAes256Gcm;
  bool down_ = false;
  std::uint64_t calls_ = 0;
};

}  // namespace cardvault::fakes
