#include "hsm/attributes.h"

#include <array>
#include <cstring>

#include "hsm/error.h"

namespace cardvault::hsm {

std::optional<std::string> read_bytes(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE session,
                                      CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
  CK_ATTRIBUTE attribute{type, nullptr, 0};
  if (fn->C_GetAttributeValue(session, object, &attribute, 1) != CKR_OK ||
      attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION || attribute.ulValueLen > 65536) {
    return std::nullopt;
  }
  std::string value(attribute.ulValueLen, '\0');
  attribute.pValue = value.data();
  if (fn->C_GetAttributeValue(session, object, &attribute, 1) != CKR_OK) return std::nullopt;
  value.resize(attribute.ulValueLen);
  return value;
}

std::optional<bool> read_flag(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE session,
                              CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
  CK_BBOOL value = 0;
  CK_ATTRIBUTE attribute{type, &value, sizeof value};
  if (fn->C_GetAttributeValue(session, object, &attribute, 1) != CKR_OK) return std::nullopt;
  return value != 0;
}

std::optional<CK_ULONG> read_number(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE session,
                                    CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
  CK_ULONG value = 0;
  CK_ATTRIBUTE attribute{type, &value, sizeof value};
  if (fn->C_GetAttributeValue(session, object, &attribute, 1) != CKR_OK) return std::nullopt;
  return value;
}

base::Result<std::vector<CK_OBJECT_HANDLE>> find_objects(CK_FUNCTION_LIST* fn,
                                                         CK_SESSION_HANDLE session,
                                                         Template& wanted) {
  CK_RV rv = fn->C_FindObjectsInit(session, wanted.data(), wanted.size());
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_FindObjectsInit", rv);
  std::vector<CK_OBJECT_HANDLE> out;
  std::array<CK_OBJECT_HANDLE, 64> batch{};
  CK_ULONG count = 0;
  do {
    rv = fn->C_FindObjects(session, batch.data(), batch.size(), &count);
    if (rv == CKR_OK) out.insert(out.end(), batch.begin(), batch.begin() + count);
  } while (rv == CKR_OK && count > 0);
  static_cast<void>(fn->C_FindObjectsFinal(session));
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_FindObjects", rv);
  return out;
}

base::Result<CK_OBJECT_HANDLE> copy_to_session(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE session,
                                               CK_OBJECT_HANDLE key, Template& more) {
  more.flag(CKA_TOKEN, false);
  if (read_flag(fn, session, key, CKA_EXTRACTABLE).value_or(true)) {
    more.flag(CKA_EXTRACTABLE, false);
  }
  CK_OBJECT_HANDLE copy = 0;
  const CK_RV rv = fn->C_CopyObject(session, key, more.data(), more.size(), &copy);
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_CopyObject", rv);
  return copy;
}

}  // namespace cardvault::hsm
