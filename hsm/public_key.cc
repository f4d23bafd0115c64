#include "hsm/public_key.h"

#include "hsm/attributes.h"

namespace cardvault::hsm {

base::Result<std::vector<std::uint8_t>> unwrap_point(const std::string& ec_point) {
  std::string_view point = ec_point;
  if ((point.size() == 67 && point.starts_with("\x04\x41")) ||
      (point.size() == 34 && point.starts_with("\x04\x20"))) {
    point.remove_prefix(2);
  }
  if ((point.size() == 65 && point.front() == 4) || point.size() == 32) {
    return std::vector<std::uint8_t>(point.begin(), point.end());
  }
  return refuse(base::Code::kInternal, "CKA_EC_POINT", CKR_OK);
}

base::Result<std::vector<std::uint8_t>> find_public_point(CK_FUNCTION_LIST* fn,
                                                          CK_SESSION_HANDLE session,
                                                          const std::string& label) {
  Template wanted;
  wanted.number(CKA_CLASS, CKO_PUBLIC_KEY).flag(CKA_TOKEN, true).bytes(CKA_LABEL, label);
  auto objects = find_objects(fn, session, wanted);
  if (!objects) return std::unexpected(objects.error());
  if (objects->size() != 1) {
    return refuse(base::Code::kKeyMissing, "public key of a signing key", CKR_OK);
  }
  const auto point = read_attribute(fn, session, objects->front(), CKA_EC_POINT);
  if (!point) return std::unexpected(point.error());
  if (!*point) return refuse(base::Code::kInternal, "CKA_EC_POINT", CKR_OK);
  return unwrap_point(**point);
}

}  // namespace cardvault::hsm
