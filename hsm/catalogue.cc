#include "hsm/catalogue.h"

#include "hsm/kcv.h"
#include "hsm/mechanism_probe.h"

namespace cardvault::hsm {
namespace {

template <std::size_t kSize>
std::string text_of(const CK_UTF8CHAR (&field)[kSize]) {
  return {reinterpret_cast<const char*>(field), p11_kit_space_strlen(field, kSize)};
}

KeyKind kind_of(const RingKey& key) {
  if (key.sign == SignKind::kEd25519) return KeyKind::kEd25519;
  if (key.sign == SignKind::kEs256) return KeyKind::kP256;
  return is_encryption(key.ref.purpose) ? KeyKind::kAes : KeyKind::kHmac;
}

}  // namespace

Catalogue make_catalogue(const Connection& connection, const Module& module,
                         const TokenConfig& config) {
  Catalogue out;
  const KeyRing& keys = connection.keys();
  const Channel channel = connection.channels().front();
  bool copied = true;
  for (const core::KeyPurpose purpose : core::kAllKeyPurposes) {
    for (const RingKey& key : keys.of(purpose)) {
      out.keys[key.ref] = {key.sign == SignKind::kEd25519, key.public_key};
      out.kcvs[key.ref] =
          compute_kcv(channel, key.on_token, kind_of(key), core::key_label(key.ref)).hex;
      copied = copied && (is_signature(purpose) || key.working != key.on_token);
    }
  }
  const CK_TOKEN_INFO& info = connection.token_info();
  TokenDescription& token = out.description;
  token.session_copies = copied && !out.keys.empty();
  token.suite = connection.suite();
  token.mechanisms = probe_mechanisms(module, connection.slot(), info, config.cbc_hmac);
  token.label = text_of(info.label);
  token.manufacturer = text_of(info.manufacturerID);
  token.model = text_of(info.model);
  token.serial = text_of(info.serialNumber);
  token.firmware =
      std::to_string(info.firmwareVersion.major) + "." + std::to_string(info.firmwareVersion.minor);
  CK_SLOT_INFO slot{};
  if (module.fn()->C_GetSlotInfo(connection.slot(), &slot) == CKR_OK) {
    token.hardware =
        (slot.flags & CKF_HW_SLOT) != 0 && !token.manufacturer.starts_with("SoftHSM") &&
        !token.manufacturer.starts_with("Mozilla") && token.model.find("Soft") == std::string::npos;
  }
  return out;
}

}  // namespace cardvault::hsm
