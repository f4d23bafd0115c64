#include "hsm/attributes.h"

#include <array>
#include <cstring>

#include "hsm/error.h"

namespace cardvault::hsm {

base::Result<std::optional<std::string>> read_attribute(CK_FUNCTION_LIST* fn,
                                                        CK_SESSION_HANDLE session,
                                                        CK_OBJECT_HANDLE object,
                                                        CK_ATTRIBUTE_TYPE type) {
  constexpr CK_ULONG kMost = 65536;
  CK_ATTRIBUTE attribute{type, nullptr, 0};
  std::string value;
  for (int call = 0; call < 2; ++call) {  // how long it is, then what it is (PKCS#11 5.7.5)
    const CK_RV rv = fn->C_GetAttributeValue(session, object, &attribute, 1);
    if (rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE) return std::nullopt;
    if (rv != CKR_OK) return refuse(ckr_code(rv), "C_GetAttributeValue", rv);
    if (attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION || attribute.ulValueLen > kMost) {
      return std::nullopt;
    }
    value.resize(attribute.ulValueLen);
    attribute.pValue = value.data();
  }
  return value;
}

std::optional<std::string> read_bytes(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE session,
                                      CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
  return read_attribute(fn, session, object, type).value_or(std::nullopt);
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
  const auto extractable = read_attribute(fn, session, key, CKA_EXTRACTABLE);
  if (!extractable) return std::unexpected(extractable.error());
  if (*extractable != std::string(1, '\0')) more.flag(CKA_EXTRACTABLE, false);
  CK_OBJECT_HANDLE copy = 0;
  const CK_RV rv = fn->C_CopyObject(session, key, more.data(), more.size(), &copy);
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_CopyObject", rv);
  return copy;
}

}  // namespace cardvault::hsm
