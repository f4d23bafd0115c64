// Attribute templates and their reading back (PKCS#11 4).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hsm/pkcs11.h"

namespace cardvault::hsm {

// Builds a CK_ATTRIBUTE array; owns the values, but for borrowed ones. Not copyable: the array
// points into it.
class Template {
 public:
  Template() = default;
  Template(const Template&) = delete;
  Template& operator=(const Template&) = delete;

  Template& flag(CK_ATTRIBUTE_TYPE type, bool value) {
    return bytes(type, std::string(1, value ? '\1' : '\0'));
  }
  Template& number(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
    return bytes(type, std::string(reinterpret_cast<const char*>(&value), sizeof value));
  }
  Template& bytes(CK_ATTRIBUTE_TYPE type, std::string value) {
    values_.push_back(std::move(value));
    list_.push_back({type, values_.back().data(), values_.back().size()});
    return *this;
  }
  // A secret that must not be copied; `value` must outlive this.
  Template& borrowed(CK_ATTRIBUTE_TYPE type, std::span<std::uint8_t> value) {
    list_.push_back({type, value.data(), value.size()});
    return *this;
  }
  [[nodiscard]] CK_ATTRIBUTE* data() { return list_.data(); }
  [[nodiscard]] CK_ULONG size() const { return list_.size(); }
  [[nodiscard]] const std::vector<CK_ATTRIBUTE>& list() const { return list_; }

 private:
  std::deque<std::string> values_;
  std::vector<CK_ATTRIBUTE> list_;
};

// nullopt when the module does not know the attribute or will not say; an error when it failed, so
// that a key is not taken for another one, or for none, because the token was away for a moment.
[[nodiscard]] base::Result<std::optional<std::string>> read_attribute(CK_FUNCTION_LIST* fn,
                                                                      CK_SESSION_HANDLE session,
                                                                      CK_OBJECT_HANDLE object,
                                                                      CK_ATTRIBUTE_TYPE type);
// The same, where a failure and a missing attribute come to the same.
[[nodiscard]] std::optional<std::string> read_bytes(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE session,
                                                    CK_OBJECT_HANDLE object,
                                                    CK_ATTRIBUTE_TYPE type);
[[nodiscard]] std::optional<bool> read_flag(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE session,
                                            CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type);
[[nodiscard]] std::optional<CK_ULONG> read_number(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE session,
                                                  CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type);

// Every object that matches; C_FindObjects from start to end.
[[nodiscard]] base::Result<std::vector<CK_OBJECT_HANDLE>> find_objects(CK_FUNCTION_LIST* fn,
                                                                       CK_SESSION_HANDLE session,
                                                                       Template& wanted);

// A session copy of a key that can never leave the token, with `more` attributes (may be empty)
// that differ. Only what must differ is said: modules inherit the rest, and a copy can never become
// less protected (PKCS#11 4.1.3). SoftHSM refuses to be told of a key already so that it is not
// extractable.
[[nodiscard]] base::Result<CK_OBJECT_HANDLE> copy_to_session(CK_FUNCTION_LIST* fn,
                                                             CK_SESSION_HANDLE session,
                                                             CK_OBJECT_HANDLE key, Template& more);

}  // namespace cardvault::hsm
