// The core's crypto port on one token, or on several that hold the same keys and stand in for one
// another.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hsm/token_config.h"
#include "hsm/token_crypto.h"
#include "vault/core/crypto.h"

namespace cardvault::hsm {

class Redundancy;

struct GroupHooks {
  // As HsmHooks, with the token's place in the list, from 0, and what all of them are together, as
  // of TokenGroup::state(); kPinRefused to one of them alone.
  std::function<void(std::size_t token, const HsmEvent&, HsmState together)> on_change;
  std::function<void(std::size_t token, std::chrono::milliseconds age)> on_stuck;
  std::function<std::map<core::KeyRef, std::string>()> expected_kcvs;
};

// Thread-safe. Every call goes to the first token of the list that serves; when that turns out to
// be lost, or has no such key, it is asked of the next: none of them changes anything on a token. A
// token of several serves once its keys have the check values that are expected, open what those
// that serve have closed, and make the same MACs. It may lack signing keys, which can't be cloned
// by wrapping; a signature comes from a token that has that very key.
class TokenGroup final : public core::Crypto {
 public:
  // With one token everything is as of TokenCrypto::open(). With several: waits until one serves,
  // a moment longer for the others, or until each has failed to. Throws StartupError for
  // configuration, an unreadable pin-source, and a module that can't be loaded or can't be shared.
  [[nodiscard]] static std::unique_ptr<TokenGroup> open(
      const std::vector<TokenConfig>& tokens, const GroupHooks& hooks = {},
      const std::set<core::KeyRef>& left_out = {});
  ~TokenGroup() override;
  TokenGroup(const TokenGroup&) = delete;             // owns the logins
  TokenGroup& operator=(const TokenGroup&) = delete;  // owns the logins

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

  // kReady while one serves; kPinRefused when that is true of all.
  [[nodiscard]] HsmState state() const noexcept;
  // Why the first one isn't ready; code kInternal and no operation while it is.
  [[nodiscard]] base::Error cause() const { return tokens_.front()->cause(); }
  // As of TokenCrypto, for each token. The error of the first that worked before and doesn't now,
  // or of the first when none works.
  [[nodiscard]] base::Result<void> adopt();
  void leave_out(const std::set<core::KeyRef>& keys);

  // Of the token that serves; while none does, of the first that did.
  [[nodiscard]] std::vector<core::KeyRef> keys() const { return best().keys(); }
  [[nodiscard]] std::string kcv(core::KeyRef key) const { return best().kcv(key); }
  [[nodiscard]] TokenDescription description() const { return best().description(); }
  // The first token's, whichever serves: logs are named after it. Empty before it is known.
  [[nodiscard]] std::string label() const;

  [[nodiscard]] std::size_t size() const noexcept { return tokens_.size(); }
  [[nodiscard]] const TokenCrypto& token(std::size_t at) const { return *tokens_.at(at); }

 private:
  explicit TokenGroup(std::size_t tokens);
  [[nodiscard]] const TokenCrypto& best() const;
  template <class Call>
  auto ask(Call call, bool signing = false);
  template <class Call>
  auto ask_each(Call& call, bool signing);
  void await_logins() const;

  std::function<std::map<core::KeyRef, std::string>()> expected_kcvs_;
  std::string first_label_;  // as its URI says
  std::shared_ptr<Redundancy> redundancy_;
  std::vector<std::unique_ptr<TokenCrypto>> tokens_;
};

}  // namespace cardvault::hsm
