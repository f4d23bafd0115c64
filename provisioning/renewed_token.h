// A token that gets new PINs: on a copy that takes its place, or in place (PKCS#11 5.5).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "hsm/key_maker.h"
#include "vault/custody/share.h"

namespace cardvault::provisioning {

// so-pin and user-pin, wherever they are known from. May ask custodians; throws what Terminal's
// do.
class RenewedPins {
 public:
  virtual ~RenewedPins() = default;
  [[nodiscard]] virtual base::SecretText before(custody::SecretName secret) = 0;
  [[nodiscard]] virtual base::SecretText after(custody::SecretName secret) = 0;
};

// Use: prepare(), with_keys(), put_live(), confirm(). Before put_live() nothing of the live token
// is changed, and discard() forgets everything. Where put_live() is broken off the token is
// unfinished(), and put_live() by another process goes on. In place each PIN is changed by itself,
// and on record when it is: so at every moment it is one that K custodians of before can rebuild,
// or K of those who have the new shares. Throws ToolError, StartupError with what to do.
class RenewedToken {
 public:
  virtual ~RenewedToken() = default;
  [[nodiscard]] virtual bool unfinished() const = 0;
  virtual void prepare(RenewedPins& pins) = 0;
  // Logged in as user.
  virtual void with_keys(RenewedPins& pins, const std::function<void(hsm::KeyMaker&)>& work) = 0;
  // `name`: of what follows, for whoever looks at an unfinished change.
  virtual void put_live(RenewedPins& pins, const std::string& name) = 0;
  virtual void confirm() = 0;
  virtual void discard() = 0;
};

// Locks. `folder`: of the custodians' papers, where a change in place keeps its record.
[[nodiscard]] std::unique_ptr<RenewedToken> open_renewed_token(const hsm::TokenConfig& config,
                                                               const std::string& folder);

// Whether PINs of a token that is changed in place are half changed.
[[nodiscard]] bool pins_half_renewed(const std::string& folder);

}  // namespace cardvault::provisioning
