// CK_RV values: their names, what they mean to an operator, and which of our outcomes they are.
#pragma once

#include "vault/base/result.h"

namespace cardvault::hsm {

// "CKR_PIN_INCORRECT"; "CKR_VENDOR_DEFINED" above 0x80000000, "CKR_?" for the unknown. Never null.
[[nodiscard]] const char* ckr_name(unsigned long rv) noexcept;

// One or two sentences for an operator: what it means and what to do. Never null.
[[nodiscard]] const char* ckr_explanation(unsigned long rv) noexcept;

// The outcome a failed call is reported as when nothing more is known about it.
[[nodiscard]] base::Code ckr_code(unsigned long rv) noexcept;

// True when session, login, token or module are gone for certain: recover, do not ask again.
[[nodiscard]] bool ckr_is_loss(unsigned long rv) noexcept;

// True when C_Login was refused because of the PIN itself: another try may lock the token. False
// for what SoftHSM answers while another login rewrites its file (CKR_TOKEN_NOT_RECOGNIZED,
// CKR_USER_PIN_NOT_INITIALIZED, CKR_GENERAL_ERROR): those are retried.
[[nodiscard]] bool ckr_is_pin_refusal(unsigned long rv) noexcept;

// A call may fail once and no more, as one over a network does: true when the same work may be
// asked for once more. Not when the token is lost for certain, nor for a record that is malformed.
[[nodiscard]] bool may_pass(const base::Error& error) noexcept;

// An error of another call than C_Login, which alone tries a PIN: what it says about one is a fault
// like any other, and is tried again.
[[nodiscard]] base::Error outside_login(base::Error error) noexcept;

}  // namespace cardvault::hsm
