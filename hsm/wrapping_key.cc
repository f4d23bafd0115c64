#include "hsm/wrapping_key.h"

#include <array>
#include <utility>

#include "hsm/error.h"

namespace cardvault::hsm {
namespace {

using base::Code;

// A module that gave the key more than was asked for could let it out again.
bool as_asked(const Channel& channel, CK_OBJECT_HANDLE key, WrappingKey::Use use) {
  const bool wraps = use == WrappingKey::Use::kWrap;
  const std::array<std::pair<CK_ATTRIBUTE_TYPE, bool>, 11> wanted = {{{CKA_TOKEN, false},
                                                                      {CKA_PRIVATE, true},
                                                                      {CKA_SENSITIVE, true},
                                                                      {CKA_EXTRACTABLE, false},
                                                                      {CKA_WRAP, wraps},
                                                                      {CKA_UNWRAP, !wraps},
                                                                      {CKA_ENCRYPT, false},
                                                                      {CKA_DECRYPT, false},
                                                                      {CKA_SIGN, false},
                                                                      {CKA_VERIFY, false},
                                                                      {CKA_DERIVE, false}}};
  for (const auto& [type, value] : wanted) {
    if (read_flag(channel.fn, channel.session, key, type).value_or(!value) != value) return false;
  }
  return true;
}

CK_MECHANISM key_wrap() { return {CKM_AES_KEY_WRAP, nullptr, 0}; }

}  // namespace

bool can_wrap(const Module& module, CK_SLOT_ID slot) {
  return module.has(slot, CKM_AES_KEY_WRAP, CKF_WRAP | CKF_UNWRAP);
}

base::Result<WrappingKey> WrappingKey::import(const Channel& channel, base::SecretBuffer bytes,
                                              Use use) {
  if (bytes.size() != kBackupKeyBytes) return base::fail(Code::kInvalidArgument, "backup key");
  Template wanted;
  wanted.number(CKA_CLASS, CKO_SECRET_KEY)
      .number(CKA_KEY_TYPE, CKK_AES)
      .flag(CKA_TOKEN, false)
      .flag(CKA_PRIVATE, true)
      .flag(CKA_SENSITIVE, true)
      .flag(CKA_EXTRACTABLE, false)
      .flag(CKA_WRAP, use == Use::kWrap)
      .flag(CKA_UNWRAP, use == Use::kUnwrap)
      .flag(CKA_ENCRYPT, false)
      .flag(CKA_DECRYPT, false)
      .flag(CKA_SIGN, false)
      .flag(CKA_VERIFY, false)
      .flag(CKA_DERIVE, false)
      .borrowed(CKA_VALUE, bytes);
  CK_OBJECT_HANDLE handle = 0;
  const CK_RV rv =
      channel.fn->C_CreateObject(channel.session, wanted.data(), wanted.size(), &handle);
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_CreateObject", rv);
  WrappingKey made(channel, handle);
  if (!as_asked(channel, handle, use)) {
    return base::fail(Code::kInternal, "the backup key read back is not as asked for");
  }
  return made;
}

WrappingKey::WrappingKey(WrappingKey&& other) noexcept
    : fn_(std::exchange(other.fn_, nullptr)), session_(other.session_), handle_(other.handle_) {}

WrappingKey::~WrappingKey() {
  if (fn_ != nullptr) static_cast<void>(fn_->C_DestroyObject(session_, handle_));
}

base::Result<std::vector<std::uint8_t>> WrappingKey::wrap(CK_OBJECT_HANDLE key) const {
  CK_MECHANISM mechanism = key_wrap();
  std::vector<std::uint8_t> out(kWrappedBytes);
  CK_ULONG size = out.size();
  const CK_RV rv = fn_->C_WrapKey(session_, &mechanism, handle_, key, out.data(), &size);
  if (rv == CKR_KEY_UNEXTRACTABLE || rv == CKR_KEY_NOT_WRAPPABLE) {
    return refuse(Code::kNotAllowed, "C_WrapKey", rv);
  }
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_WrapKey", rv);
  if (size != out.size()) return base::fail(Code::kInternal, "wrapped length");
  return out;
}

base::Result<CK_OBJECT_HANDLE> WrappingKey::unwrap(std::span<const std::uint8_t> wrapped,
                                                   const KeySpec& spec) const {
  if (wrapped.size() != kWrappedBytes) return base::fail(Code::kRecordDamaged, "wrapped length");
  Template wanted;
  fill_restored(wanted, spec);
  CK_MECHANISM mechanism = key_wrap();
  CK_OBJECT_HANDLE key = 0;
  const CK_RV rv =
      fn_->C_UnwrapKey(session_, &mechanism, handle_, const_cast<CK_BYTE_PTR>(wrapped.data()),
                       wrapped.size(), wanted.data(), wanted.size(), &key);
  if (rv == CKR_OK) return key;
  // SoftHSM says CKR_GENERAL_ERROR when RFC 3394's integrity check fails.
  return refuse(ckr_is_loss(rv) ? ckr_code(rv) : Code::kRecordDamaged, "C_UnwrapKey", rv);
}

}  // namespace cardvault::hsm
