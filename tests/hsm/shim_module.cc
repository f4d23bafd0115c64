#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "hsm/pkcs11.h"
#include "tests/hsm/fault_guard.h"
#include "tests/hsm/shim.h"

namespace {

using cardvault::hsm::testing::FaultQueue;
using cardvault::hsm::testing::guard;
using cardvault::hsm::testing::map_queue;
using cardvault::hsm::testing::Shim;
using cardvault::hsm::testing::ShimIv;

Shim control;
CK_FUNCTION_LIST* real = nullptr;
CK_FUNCTION_LIST list;
CK_FUNCTION_LIST guarded;

// GCM with an IV of the module's own: kept from C_EncryptInit to C_Encrypt. One session at a time.
thread_local CK_BYTE own_iv[12];
thread_local bool append_iv = false;

CK_RV fault() {
  if (const unsigned us = control.delay_us; us != 0) ::usleep(us);
  if (const unsigned long once = control.fail_once_with.exchange(0); once != 0) return once;
  return control.fail_with;
}

CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG size) {
  ++control.logins;
  // A test may end it meanwhile.
  for (auto left = control.fail_logins.load(); left > 0;) {
    if (control.fail_logins.compare_exchange_strong(left, left - 1)) return control.fail_login_with;
  }
  if (control.login_twice) static_cast<void>(real->C_Login(session, user, pin, size));
  return real->C_Login(session, user, pin, size);
}

CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR wanted, CK_ULONG count) {
  ++control.finds;
  return real->C_FindObjectsInit(session, wanted, count);
}

CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR data, CK_NOTIFY notify,
                   CK_SESSION_HANDLE_PTR session) {
  ++control.opens;
  return real->C_OpenSession(slot, flags, data, notify, session);
}

CK_RV mechanism_info(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR info) {
  if (type == control.hidden_mechanism) return CKR_MECHANISM_INVALID;
  return real->C_GetMechanismInfo(slot, type, info);
}

CK_RV slot_info(CK_SLOT_ID slot, CK_SLOT_INFO_PTR info) {
  const CK_RV rv = real->C_GetSlotInfo(slot, info);
  if (rv == CKR_OK) info->flags |= CKF_HW_SLOT;
  return rv;
}

CK_RV token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info) {
  const CK_RV rv = real->C_GetTokenInfo(slot, info);
  if (rv != CKR_OK) return rv;
  std::memset(info->manufacturerID, ' ', sizeof info->manufacturerID);
  std::memset(info->model, ' ', sizeof info->model);
  return rv;
}

CK_RV unwrap_key(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE with,
                 CK_BYTE_PTR wrapped, CK_ULONG size, CK_ATTRIBUTE_PTR wanted, CK_ULONG count,
                 CK_OBJECT_HANDLE_PTR key) {
  CK_BBOOL yes = CK_TRUE;
  std::vector<CK_ATTRIBUTE> loose(wanted, wanted + count);
  for (CK_ATTRIBUTE& one : loose) {
    if (one.type == CKA_EXTRACTABLE) one.pValue = &yes;
  }
  return real->C_UnwrapKey(session, mechanism, with, wrapped, size, loose.data(), count, key);
}

CK_RV copy_object(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR wanted,
                  CK_ULONG count, CK_OBJECT_HANDLE_PTR copy) {
  if (control.refuse_copies) return CKR_FUNCTION_NOT_SUPPORTED;
  return real->C_CopyObject(session, object, wanted, count, copy);
}

CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  if (const CK_RV rv = fault(); rv != CKR_OK) return rv;
  return real->C_SignInit(session, mechanism, key);
}

// A module that takes longer over a code that exists: what the timing test must find.
CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG size, CK_BYTE_PTR out,
           CK_ULONG_PTR out_size) {
  constexpr CK_ULONG kIdEnd = 17;  // 0x01, then the code's id; zeros where there is no code
  if (control.leak_us != 0 && size > kIdEnd && data[0] == 1 &&
      std::any_of(data + 1, data + kIdEnd, [](CK_BYTE byte) { return byte != 0; })) {
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::microseconds(control.leak_us.load());
    while (std::chrono::steady_clock::now() < until) {
    }
  }
  return real->C_Sign(session, data, size, out, out_size);
}

CK_RV decrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  if (const CK_RV rv = fault(); rv != CKR_OK) return rv;
  return real->C_DecryptInit(session, mechanism, key);
}

CK_RV encrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  if (const CK_RV rv = fault(); rv != CKR_OK) return rv;
  append_iv = false;
  if (mechanism->mechanism != CKM_AES_GCM || control.gcm_iv == ShimIv::kCaller) {
    return real->C_EncryptInit(session, mechanism, key);
  }
  auto* params = static_cast<CK_GCM_PARAMS*>(mechanism->pParameter);
  real->C_GenerateRandom(session, own_iv, sizeof own_iv);
  if (control.gcm_iv == ShimIv::kInParams) {
    const bool zero = std::all_of(params->pIv, params->pIv + params->ulIvLen,
                                  [](CK_BYTE byte) { return byte == 0; });
    if (params->ulIvLen != sizeof own_iv || !zero) return CKR_MECHANISM_PARAM_INVALID;
    std::memcpy(params->pIv, own_iv, sizeof own_iv);
    return real->C_EncryptInit(session, mechanism, key);
  }
  if (params->ulIvLen != 0) return CKR_MECHANISM_PARAM_INVALID;
  CK_GCM_PARAMS own = *params;
  own.pIv = own_iv;
  own.ulIvLen = sizeof own_iv;
  own.ulIvBits = sizeof own_iv * 8;
  CK_MECHANISM with_own{CKM_AES_GCM, &own, sizeof own};
  append_iv = true;
  return real->C_EncryptInit(session, &with_own, key);
}

CK_RV encrypt(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG size, CK_BYTE_PTR out,
              CK_ULONG_PTR out_size) {
  const CK_RV rv = real->C_Encrypt(session, data, size, out, out_size);
  if (rv == CKR_OK && append_iv) {
    std::memcpy(out + *out_size, own_iv, sizeof own_iv);
    *out_size += sizeof own_iv;
  }
  return rv;
}

CK_RV generate_random(CK_SESSION_HANDLE session, CK_BYTE_PTR out, CK_ULONG size) {
  if (const CK_RV rv = fault(); rv != CKR_OK) return rv;
  if (control.constant_iv) {
    std::memset(out, 7, size);
    return CKR_OK;
  }
  return real->C_GenerateRandom(session, out, size);
}

}  // namespace

extern "C" {
__attribute__((visibility("default"))) void* cardvault_shim() { return &control; }

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out) {
  if (real == nullptr) {
    const char* target = std::getenv("CARDVAULT_SHIM_TARGET");
    void* library = target != nullptr ? ::dlopen(target, RTLD_NOW | RTLD_LOCAL) : nullptr;
    if (library == nullptr) return CKR_LIBRARY_LOAD_FAILED;
    const auto get = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
    if (get == nullptr || get(&real) != CKR_OK) return CKR_LIBRARY_LOAD_FAILED;
    if (const char* delay = std::getenv("CARDVAULT_SHIM_DELAY_US")) {
      control.delay_us = static_cast<unsigned>(std::strtoul(delay, nullptr, 10));
    }
    if (const char* leak = std::getenv("CARDVAULT_SHIM_LEAK_US")) {
      control.leak_us = static_cast<unsigned>(std::strtoul(leak, nullptr, 10));
    }
    if (const char* hide = std::getenv("CARDVAULT_SHIM_HIDE")) {
      control.hidden_mechanism = std::strtoul(hide, nullptr, 0);
    }
    list = *real;
    list.C_GetFunctionList = &C_GetFunctionList;
    list.C_Login = &login;
    list.C_FindObjectsInit = &find_init;
    list.C_OpenSession = &open_session;
    list.C_GetMechanismInfo = &mechanism_info;
    list.C_CopyObject = &copy_object;
    if (std::getenv("CARDVAULT_SHIM_HARDWARE") != nullptr) {
      list.C_GetSlotInfo = &slot_info;
      list.C_GetTokenInfo = &token_info;
    }
    if (std::getenv("CARDVAULT_SHIM_LOOSE") != nullptr) list.C_UnwrapKey = &unwrap_key;
    list.C_SignInit = &sign_init;
    list.C_Sign = &sign;
    list.C_DecryptInit = &decrypt_init;
    list.C_EncryptInit = &encrypt_init;
    list.C_Encrypt = &encrypt;
    list.C_GenerateRandom = &generate_random;
    const char* file = std::getenv("CARDVAULT_SHIM_FAULTS");
    FaultQueue* queue = file != nullptr ? map_queue(file) : &control.faults;
    if (queue == nullptr) return CKR_LIBRARY_LOAD_FAILED;
    guarded = list;
    guard(guarded, list, *queue);
  }
  *out = &guarded;
  return CKR_OK;
}
}
