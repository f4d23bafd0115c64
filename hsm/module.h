// One PKCS#11 module in this process: loaded through p11-kit, initialised and finalised by us.
//
// Never fork after initialize() (DESIGN trap 9). One Module at a time per module file: C_Finalize
// takes every user of it along. Tokens of one file share it by enter() and leave().
#pragma once

#include <mutex>
#include <string>

#include "hsm/pkcs11.h"
#include "hsm/token_config.h"
#include "hsm/token_uri.h"
#include "vault/base/result.h"

namespace cardvault::hsm {

class Module {
 public:
  // Loads, does not initialise. Sets SOFTHSM2_CONF when the configuration has one: call it before
  // threads that read the environment. Throws StartupError when call logging is on, or the module
  // cannot be loaded.
  explicit Module(const TokenConfig& config);
  ~Module();                                  // finalises, unloads
  Module(const Module&) = delete;             // owns the loaded module
  Module& operator=(const Module&) = delete;  // owns the loaded module

  // C_Initialize (PKCS#11 5.4) with OS locking and the configured init_args.
  [[nodiscard]] base::Result<void> initialize();
  // C_Finalize; every session and handle is dead afterwards. REQUIRES: no call in flight.
  void finalize() noexcept;
  // Before a login: finalises and initialises, unless another user is between enter() and leave(),
  // whose sessions that would end. Thread-safe, with leave().
  [[nodiscard]] base::Result<void> enter();
  // After every session of this user was closed. REQUIRES: its enter() went well.
  void leave() noexcept;

  // The one slot whose token matches. kHsmUnavailable with CKR_TOKEN_NOT_PRESENT when none does,
  // kConflict when several do.
  [[nodiscard]] base::Result<CK_SLOT_ID> find_token(const TokenUri& uri) const;
  // Whether the slot's token has a mechanism with all of `flags` (CKF_ENCRYPT …).
  [[nodiscard]] bool has(CK_SLOT_ID slot, CK_MECHANISM_TYPE mechanism, CK_FLAGS flags) const;

  [[nodiscard]] CK_FUNCTION_LIST* fn() const noexcept { return fn_; }

 private:
  CK_FUNCTION_LIST* fn_ = nullptr;
  std::string init_args_;
  const std::string softhsm_conf_;
  bool initialized_ = false;
  std::mutex mutex_;
  unsigned users_ = 0;
};

// A session, closed on destruction. Closing one never logs the token out: login belongs to the
// token (trap 4). Move-only.
class Session {
 public:
  [[nodiscard]] static base::Result<Session> open(const Module& module, CK_SLOT_ID slot,
                                                  bool writable);
  Session(Session&& other) noexcept;
  Session& operator=(Session&&) = delete;  // sessions are not reassigned
  Session(const Session&) = delete;        // closed once
  ~Session();
  [[nodiscard]] CK_SESSION_HANDLE handle() const noexcept { return handle_; }

 private:
  Session(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE handle) : fn_(fn), handle_(handle) {}
  CK_FUNCTION_LIST* fn_;
  CK_SESSION_HANDLE handle_;
};

}  // namespace cardvault::hsm
