// A change of the token's keys, made so that no key is lost whatever happens meanwhile.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hsm/key_maker.h"
#include "provisioning/brought_keys.h"
#include "provisioning/custodian_pin.h"
#include "provisioning/key_exchange.h"

namespace cardvault::provisioning {

// The backup of a key that is being made.
class KeyBackup {
 public:
  virtual ~KeyBackup() = default;
  // With the token that has the new key, before it is live.
  virtual void wrap(hsm::KeyMaker& token, core::KeyRef key) = 0;
  // Then, with no module initialised in this process: shows that what was wrapped comes back, and
  // keeps it.
  virtual void prove() = 0;
};

// "pan-enc-mac/1" of "pan-enc/1": suite 2's second key comes and goes with the first.
[[nodiscard]] std::string second_label(std::string label);

// Use: find_unfinished() first, and finish it; then make() or destroy(), tell the vault to adopt
// the token, and confirm(), or take_back() when the vault refuses it. Not thread-safe; no other
// user of the module may be in this process meanwhile. Throws ToolError or StartupError with what
// to do.
class TokenChange {
 public:
  virtual ~TokenChange() = default;
  // What a process that was killed has left to be confirmed or taken back.
  [[nodiscard]] virtual std::optional<TokenChangeNote> unfinished() const = 0;
  // Makes the key as the newest earlier version of its purpose was made (extractable or not; with a
  // backup: extractable), and tests every key. Afterwards the changed token is the live one.
  // `backup` may be null; what it throws undoes everything.
  [[nodiscard]] virtual TokenChangeNote make(core::KeyRef key, KeyBackup* backup) = 0;
  // nullopt: the token has no such key, nothing was changed.
  [[nodiscard]] virtual std::optional<TokenChangeNote> destroy(core::KeyRef key) = 0;
  // bring_keys() on this token; all or none where its folder is exchanged.
  [[nodiscard]] virtual BroughtKeys bring(std::span<const hsm::WrappedKey> keys,
                                          const AskBackupKey& ask) = 0;
  virtual void take_back(const TokenChangeNote& note) = 0;
  virtual void confirm() = 0;
};

// By exchange of the token's folder where it has one, else in place. Locks; settles what can be
// settled without the vault. The PIN is asked for once, before the first login, unless `ask_pin` is
// empty and the configuration's pin-source has it.
[[nodiscard]] std::unique_ptr<TokenChange> open_token_change(const hsm::TokenConfig& config,
                                                             AskPin ask_pin);

}  // namespace cardvault::provisioning
