#include "hsm/kcv.h"

#include <openssl/sha.h>

#include <array>
#include <span>

#include "hsm/public_key.h"
#include "hsm/self_test.h"

namespace cardvault::hsm {
namespace {

std::string first_five(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : bytes.first(5)) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

std::string cmac_of_zeros(const Channel& channel, CK_OBJECT_HANDLE key) {
  Template wanted;
  wanted.flag(CKA_SIGN, true).flag(CKA_ENCRYPT, false).flag(CKA_DECRYPT, false);
  const auto copy = copy_to_session(channel.fn, channel.session, key, wanted);
  if (!copy) return {};
  CK_MECHANISM mechanism{CKM_AES_CMAC, nullptr, 0};
  std::array<CK_BYTE, 16> zeros{};
  std::array<CK_BYTE, 16> tag{};
  CK_ULONG size = tag.size();
  CK_RV rv = channel.fn->C_SignInit(channel.session, &mechanism, *copy);
  if (rv == CKR_OK) {
    rv = channel.fn->C_Sign(channel.session, zeros.data(), zeros.size(), tag.data(), &size);
  }
  static_cast<void>(channel.fn->C_DestroyObject(channel.session, *copy));
  return rv == CKR_OK && size == tag.size() ? first_five(tag) : std::string();
}

}  // namespace

Kcv compute_kcv(const Channel& channel, CK_OBJECT_HANDLE key, KeyKind kind,
                const std::string& label) {
  if (kind == KeyKind::kAes) return {cmac_of_zeros(channel, key), "CMAC"};
  if (kind == KeyKind::kHmac) {
    const auto mac = hmac_sha256(channel, key, base::as_bytes(kKcvText));
    return {mac ? first_five(*mac) : std::string(), "HMAC"};
  }
  const auto point = find_public_point(channel.fn, channel.session, label);
  if (!point) return {{}, "SHA-256"};
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  ::SHA256(point->data(), point->size(), digest.data());
  return {first_five(digest), "SHA-256"};
}

}  // namespace cardvault::hsm
