// The token of a ceremony: made, filled and tried below its stage folder.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hsm/key_maker.h"
#include "provisioning/init_files.h"
#include "vault/core/crypto.h"

namespace cardvault::provisioning {

class TokenCopy;

// Every function loads the module anew and leaves the environment as it was, so that a custodian's
// card may use the same module in between. Throws ToolError(kLocal), or StartupError, with what to
// do.
class CeremonyToken {
 public:
  CeremonyToken(NewVault vault, std::string stage);

  // Whether the module can do all that is asked of it, and has no token of this label unless this
  // ceremony has `begun` to make it: before anything is made.
  void check_module(bool backup, bool begun) const;
  // Initialises the token; returns its URI, without a pin-source. `again`: one that a broken-off
  // try of this ceremony left may be thrown away, which only SoftHSM allows.
  [[nodiscard]] std::string make(const base::SecretText& so_pin, const base::SecretText& user_pin,
                                 bool again) const;
  // Makes version 1 of each purpose that `made` does not name yet, and reports each key as read
  // back; on SoftHSM once all of them are there. `again`: a key on the token that `made` doesn't
  // name was made just before a break, and is made anew; else keys that are there are refused.
  void make_keys(const std::string& uri, const base::SecretText& pin,
                 const std::vector<std::string>& made, bool again,
                 const std::function<void(const hsm::KeyReport&)>& report) const;
  [[nodiscard]] std::vector<hsm::WrappedKey> wrap(const std::string& uri,
                                                  const base::SecretText& pin,
                                                  base::SecretBuffer backup_key) const;
  struct Tried {
    std::string manufacturer, model, serial;
    bool hardware = false;
    core::SigningPublicKey audit_key;
    std::vector<std::vector<std::uint8_t>> signatures;  // of audit-sign/1 under each message
  };
  // Logs in as the daemon does, with its self-test of every key.
  [[nodiscard]] Tried use(const std::string& uri, const base::SecretText& pin,
                          const std::vector<std::string>& messages) const;

 private:
  [[nodiscard]] hsm::TokenConfig config(const std::string& uri) const;
  [[nodiscard]] bool is_softhsm() const;
  [[noreturn]] void refuse_token(bool again) const;
  // A SoftHSM token's copy to work on; null for modules that keep their keys safe themselves.
  [[nodiscard]] std::unique_ptr<TokenCopy> work_on_copy(bool empty) const;

  NewVault vault_;
  std::string stage_;
};

}  // namespace cardvault::provisioning
