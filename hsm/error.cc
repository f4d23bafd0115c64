#include "hsm/error.h"

#include <algorithm>
#include <array>

#include "hsm/pkcs11.h"

namespace cardvault::hsm {
namespace {

using base::Code;

struct Meaning {
  CK_RV rv;
  const char* name;
  Code code;
  const char* explanation;
};

// Sorted by value (PKCS#11 v2.40 / 3.0, 5.1).
constexpr auto kMeanings = std::to_array<Meaning>({
#define CKR(name) name, #name
    {CKR(CKR_OK), Code::kInternal, "The call succeeded."},
    {CKR(CKR_CANCEL), Code::kHsmUnavailable,
     "The module or its operator cancelled the call. Try again; look at the device's display."},
    {CKR(CKR_HOST_MEMORY), Code::kHsmUnavailable,
     "The host ran out of memory inside the module. Free memory or raise the service's limit."},
    {CKR(CKR_SLOT_ID_INVALID), Code::kHsmUnavailable,
     "The slot no longer exists. Name the token by its label, not by a slot number."},
    {CKR(CKR_GENERAL_ERROR), Code::kHsmUnavailable,
     "The module failed without saying why. Check that the token's files or the HSM can be reached "
     "and read by this user, and read the module's own log."},
    {CKR(CKR_FUNCTION_FAILED), Code::kHsmUnavailable,
     "The module could not do what was asked. Read the module's own log."},
    {CKR(CKR_ARGUMENTS_BAD), Code::kInternal,
     "The module refused the form of the call. At initialisation: check hsm.init_args."},
    {CKR(CKR_CANT_LOCK), Code::kInternal,
     "The module cannot be used from several threads. Ask its vendor for a threaded version."},
    {CKR(CKR_ATTRIBUTE_READ_ONLY), Code::kInternal,
     "The key's attributes may not be changed or copied; SoftHSM says so for session copies of "
     "keys "
     "made with CKA_MODIFIABLE=false. The vault then works on the token's own key, more slowly."},
    {CKR(CKR_ATTRIBUTE_SENSITIVE), Code::kInternal,
     "The key's value may not leave the token, as it should be."},
    {CKR(CKR_ATTRIBUTE_TYPE_INVALID), Code::kInternal,
     "The module does not know one of the key attributes that were asked for."},
    {CKR(CKR_ATTRIBUTE_VALUE_INVALID), Code::kInternal,
     "The module does not allow one of the key attributes, e.g. the curve or the key's length."},
    {CKR(CKR_ACTION_PROHIBITED), Code::kInternal,
     "The key's policy forbids this (copying, changing or destroying it)."},
    {CKR(CKR_DATA_INVALID), Code::kInternal, "The data does not fit the mechanism."},
    {CKR(CKR_DATA_LEN_RANGE), Code::kInternal,
     "The data is too long or too short for the mechanism."},
    {CKR(CKR_DEVICE_ERROR), Code::kHsmUnavailable,
     "The HSM reports a fault of its own. Check its state, its network path and its log."},
    {CKR(CKR_DEVICE_MEMORY), Code::kHsmUnavailable,
     "The HSM is out of memory. Remove unused objects or sessions from it."},
    {CKR(CKR_DEVICE_REMOVED), Code::kHsmUnavailable,
     "The token was taken away. Put it back: the vault finds its keys again by itself."},
    {CKR(CKR_ENCRYPTED_DATA_INVALID), Code::kRecordDamaged,
     "The record does not decrypt: it was changed, or belongs to another token, customer or key."},
    {CKR(CKR_ENCRYPTED_DATA_LEN_RANGE), Code::kRecordDamaged,
     "The record is too short or too long to be one of ours."},
    {kCkrAeadDecryptFailed, "CKR_AEAD_DECRYPT_FAILED", Code::kRecordDamaged,
     "The record does not decrypt: it was changed, or belongs to another token, customer or key."},
    {CKR(CKR_FUNCTION_CANCELED), Code::kHsmUnavailable,
     "The module cancelled the call. Try again."},
    {CKR(CKR_FUNCTION_NOT_SUPPORTED), Code::kMechanismMissing,
     "The module does not have this function at all."},
    {CKR(CKR_KEY_HANDLE_INVALID), Code::kHsmUnavailable,
     "A key is no longer where it was, e.g. the token was replaced. The vault looks for it again."},
    {CKR(CKR_KEY_SIZE_RANGE), Code::kInternal, "The key has the wrong length for the mechanism."},
    {CKR(CKR_KEY_TYPE_INCONSISTENT), Code::kInternal,
     "The key is of another kind than its label says. Make it with `cardvault`, not by hand."},
    {CKR(CKR_KEY_FUNCTION_NOT_PERMITTED), Code::kInternal,
     "The key was made for another use. Make it with `cardvault`, not by hand."},
    {CKR(CKR_KEY_NOT_WRAPPABLE), Code::kInternal, "The module cannot wrap this kind of key."},
    {CKR(CKR_KEY_UNEXTRACTABLE), Code::kInternal,
     "The key may never leave the token, so it cannot be backed up by wrapping."},
    {CKR(CKR_MECHANISM_INVALID), Code::kMechanismMissing,
     "The module lacks a mechanism. `cardvault doctor` lists which are needed and which are "
     "there."},
    {CKR(CKR_MECHANISM_PARAM_INVALID), Code::kInternal,
     "The module refused the mechanism's parameters, e.g. it insists on an IV of its own."},
    {CKR(CKR_OBJECT_HANDLE_INVALID), Code::kHsmUnavailable,
     "A key is no longer where it was, e.g. the token was replaced. The vault looks for it again."},
    {CKR(CKR_OPERATION_ACTIVE), Code::kHsmUnavailable,
     "A session was left in the middle of an operation. The vault opens new ones."},
    {CKR(CKR_OPERATION_NOT_INITIALIZED), Code::kHsmUnavailable,
     "A session lost the operation it was in. The vault opens new ones."},
    {CKR(CKR_PIN_INCORRECT), Code::kHsmPinRefused,
     "The PIN is wrong. The vault tries it once only, so as not to lock the token: correct the "
     "pin-source, then restart."},
    {CKR(CKR_PIN_INVALID), Code::kHsmPinRefused,
     "The PIN has characters that the token does not take. Correct the pin-source, then restart."},
    {CKR(CKR_PIN_LEN_RANGE), Code::kHsmPinRefused,
     "The PIN is too long or too short for the token. Correct the pin-source, then restart."},
    {CKR(CKR_PIN_EXPIRED), Code::kHsmPinRefused,
     "The PIN has expired. Change it with the vendor's tool, put it in the pin-source, restart."},
    {CKR(CKR_PIN_LOCKED), Code::kHsmPinRefused,
     "The PIN is locked after too many wrong tries. The security officer must unlock it."},
    {CKR(CKR_SESSION_CLOSED), Code::kHsmUnavailable, "A session was closed. The vault reconnects."},
    {CKR(CKR_SESSION_COUNT), Code::kHsmUnavailable,
     "The token allows no more sessions. Lower hsm.sessions or end other users of the token."},
    {CKR(CKR_SESSION_HANDLE_INVALID), Code::kHsmUnavailable,
     "A session is gone, e.g. the token was removed. The vault reconnects."},
    {CKR(CKR_SESSION_READ_ONLY), Code::kInternal, "The session may not change the token."},
    {CKR(CKR_SIGNATURE_INVALID), Code::kRecordDamaged, "A signature or MAC does not match."},
    {CKR(CKR_SIGNATURE_LEN_RANGE), Code::kRecordDamaged,
     "A signature or MAC has the wrong length."},
    {CKR(CKR_TEMPLATE_INCOMPLETE), Code::kInternal, "The module wants more attributes for a key."},
    {CKR(CKR_TEMPLATE_INCONSISTENT), Code::kInternal,
     "The module does not allow these attributes together."},
    {CKR(CKR_TOKEN_NOT_PRESENT), Code::kHsmUnavailable,
     "No token answers to hsm.token_uri. Check that it is connected, that its label is right, and "
     "for SoftHSM that the token directory exists and this user may read it."},
    {CKR(CKR_TOKEN_NOT_RECOGNIZED), Code::kHsmUnavailable,
     "The token could not be read just now, e.g. while another process logs in. It is retried."},
    {CKR(CKR_TOKEN_WRITE_PROTECTED), Code::kNotAllowed,
     "The token is read-only here. Keys are made by the tool, never by the daemon."},
    {CKR(CKR_USER_ALREADY_LOGGED_IN), Code::kInternal,
     "The token is logged in already, which is no fault."},
    {CKR(CKR_USER_NOT_LOGGED_IN), Code::kHsmUnavailable,
     "The login ended, e.g. after a restart of the HSM. The vault logs in again."},
    {CKR(CKR_USER_PIN_NOT_INITIALIZED), Code::kHsmUnavailable,
     "The token has no user PIN yet, or could not be read just now. If it stays: run the "
     "ceremony."},
    {CKR(CKR_USER_ANOTHER_ALREADY_LOGGED_IN), Code::kHsmUnavailable,
     "The security officer is logged in. Log out there first."},
    {CKR(CKR_RANDOM_NO_RNG), Code::kMechanismMissing,
     "The token has no random generator; the vault cannot use it."},
    {CKR(CKR_DOMAIN_PARAMS_INVALID), Code::kMechanismMissing, "The module lacks this curve."},
    {CKR(CKR_CURVE_NOT_SUPPORTED), Code::kMechanismMissing, "The module lacks this curve."},
    {CKR(CKR_BUFFER_TOO_SMALL), Code::kInternal,
     "The module answered with more than it announced."},
    {CKR(CKR_CRYPTOKI_NOT_INITIALIZED), Code::kHsmUnavailable,
     "The module was shut down under us. The vault starts it again."},
    {CKR(CKR_CRYPTOKI_ALREADY_INITIALIZED), Code::kInternal,
     "The module is in use already in this process."},
    {CKR(CKR_FIPS_SELF_TEST_FAILED), Code::kHsmUnavailable,
     "The HSM failed its own self-test. Take it out of service and call its vendor."},
    {CKR(CKR_LIBRARY_LOAD_FAILED), Code::kHsmUnavailable,
     "The module could not load a library it needs."},
    {CKR(CKR_PIN_TOO_WEAK), Code::kHsmPinRefused, "The token wants a stronger PIN."},
    {CKR(CKR_FUNCTION_REJECTED), Code::kNotAllowed,
     "The HSM's policy or its operator rejected the call."},
#undef CKR
});

const Meaning* meaning_of(unsigned long rv) {
  const auto* found = std::ranges::lower_bound(kMeanings, rv, {}, &Meaning::rv);
  return found != kMeanings.end() && found->rv == rv ? found : nullptr;
}

}  // namespace

const char* ckr_name(unsigned long rv) noexcept {
  static_assert(std::ranges::is_sorted(kMeanings, {}, &Meaning::rv));
  if (const Meaning* found = meaning_of(rv)) return found->name;
  return rv >= CKR_VENDOR_DEFINED ? "CKR_VENDOR_DEFINED" : "CKR_?";
}

const char* ckr_explanation(unsigned long rv) noexcept {
  if (const Meaning* found = meaning_of(rv)) return found->explanation;
  return rv >= CKR_VENDOR_DEFINED
             ? "A code of this vendor's own: look its number up in the vendor's manual."
             : "A rare PKCS#11 code: look its number up in PKCS#11 section 5.1.";
}

base::Code ckr_code(unsigned long rv) noexcept {
  const Meaning* found = meaning_of(rv);
  return found != nullptr ? found->code : Code::kHsmUnavailable;
}

bool ckr_is_loss(unsigned long rv) noexcept {
  switch (rv) {
    case CKR_SLOT_ID_INVALID:
    case CKR_DEVICE_REMOVED:
    case CKR_SESSION_CLOSED:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
    case CKR_USER_NOT_LOGGED_IN:
    case CKR_CRYPTOKI_NOT_INITIALIZED:
    case CKR_OPERATION_ACTIVE:
    case CKR_KEY_HANDLE_INVALID:
    case CKR_OBJECT_HANDLE_INVALID:
      return true;
    default:
      return false;
  }
}

bool may_pass(const base::Error& error) noexcept {
  if (error.number == 0) return error.code == Code::kInternal;  // our own finding, not the module's
  return !ckr_is_loss(rv_of(error));
}

base::Error outside_login(base::Error error) noexcept {
  if (error.code == Code::kHsmPinRefused) error.code = Code::kHsmUnavailable;
  return error;
}

bool ckr_is_pin_refusal(unsigned long rv) noexcept {
  switch (rv) {
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
    case CKR_PIN_EXPIRED:
    case CKR_PIN_LOCKED:
    case kCkrPinTooWeak:
      return true;
    default:
      return false;
  }
}

}  // namespace cardvault::hsm
