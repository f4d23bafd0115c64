#include "hsm/cipher.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>

#include "hsm/error.h"

namespace cardvault::hsm {
namespace {

using base::Code;
using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kIv = 12;
constexpr std::size_t kTag = 16;
constexpr std::size_t kBlock = 16;
constexpr std::size_t kMacSize = 32;

// PKCS#11 takes its inputs by pointers to non-const and does not write there; SoftHSM takes a null
// pointer for a mistake even when the length is 0.
CK_BYTE_PTR input(Bytes bytes) {
  static CK_BYTE nothing = 0;
  return bytes.empty() ? &nothing : const_cast<CK_BYTE_PTR>(bytes.data());
}

std::unexpected<base::Error> refused(const char* operation, CK_RV rv) {
  return refuse(ckr_code(rv), operation, rv);
}

base::Result<void> take_iv(Channel& channel, std::span<std::uint8_t> out) {
  if (channel.iv_left < out.size()) {
    if (auto filled = random_bytes(channel, channel.iv_block); !filled) {
      return std::unexpected(filled.error());
    }
    channel.iv_left = channel.iv_block.size();
  }
  const auto begin = channel.iv_block.end() - static_cast<std::ptrdiff_t>(channel.iv_left);
  std::copy_n(begin, out.size(), out.begin());
  channel.iv_left -= out.size();
  return {};
}

CK_GCM_PARAMS gcm_params(std::span<std::uint8_t> iv, Bytes aad) {
  CK_GCM_PARAMS params{};
  params.pIv = iv.data();
  params.ulIvLen = iv.size();
  params.ulIvBits = iv.size() * 8;
  params.pAAD = input(aad);
  params.ulAADLen = aad.size();
  params.ulTagBits = kTag * 8;
  return params;
}

base::Result<std::vector<std::uint8_t>> sign_with(const Channel& channel, CK_MECHANISM_TYPE type,
                                                  CK_OBJECT_HANDLE key, Bytes data) {
  CK_MECHANISM mechanism{type, nullptr, 0};
  CK_RV rv = channel.fn->C_SignInit(channel.session, &mechanism, key);
  if (rv != CKR_OK) return refused("C_SignInit", rv);
  std::vector<std::uint8_t> out(64);
  CK_ULONG size = out.size();
  rv = channel.fn->C_Sign(channel.session, input(data), data.size(), out.data(), &size);
  if (rv != CKR_OK) return refused("C_Sign", rv);
  if (size != out.size()) return refuse(Code::kInternal, "signature length", CKR_OK);
  return out;
}

// The MAC's input in the order of RFC 7518 5.2.2.1.
std::vector<std::uint8_t> mac_input(Bytes aad, Bytes iv, Bytes ciphertext) {
  std::vector<std::uint8_t> out;
  out.reserve(aad.size() + iv.size() + ciphertext.size() + 8);
  out.insert(out.end(), aad.begin(), aad.end());
  out.insert(out.end(), iv.begin(), iv.end());
  out.insert(out.end(), ciphertext.begin(), ciphertext.end());
  const std::uint64_t bits = std::uint64_t{aad.size()} * 8;
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(bits >> shift));
  }
  return out;
}

}  // namespace

base::Result<core::Mac> hmac_sha256(const Channel& channel, CK_OBJECT_HANDLE key, Bytes data) {
  CK_MECHANISM mechanism{CKM_SHA256_HMAC, nullptr, 0};
  CK_RV rv = channel.fn->C_SignInit(channel.session, &mechanism, key);
  if (rv != CKR_OK) return refused("C_SignInit", rv);
  core::Mac out;
  CK_ULONG size = out.size();
  rv = channel.fn->C_Sign(channel.session, input(data), data.size(), out.data(), &size);
  if (rv != CKR_OK) return refused("C_Sign", rv);
  if (size != out.size()) return refuse(Code::kInternal, "MAC length", CKR_OK);
  return out;
}

base::Result<void> random_bytes(const Channel& channel, std::span<std::uint8_t> out) {
  if (out.empty()) return {};  // an error to SoftHSM
  const CK_RV rv = channel.fn->C_GenerateRandom(channel.session, out.data(), out.size());
  if (rv != CKR_OK) return refused("C_GenerateRandom", rv);
  return {};
}

base::Result<core::Sealed> gcm_encrypt(Channel& channel, CK_OBJECT_HANDLE key, Bytes plaintext,
                                       Bytes aad) {
  std::array<std::uint8_t, kIv> iv{};  // stays zero where the module writes its own
  if (channel.gcm_iv == GcmIv::kCaller) {
    if (auto taken = take_iv(channel, iv); !taken) return std::unexpected(taken.error());
  }
  const bool appends = channel.gcm_iv == GcmIv::kModuleAppends;
  CK_GCM_PARAMS params = gcm_params(appends ? std::span<std::uint8_t>() : iv, aad);
  CK_MECHANISM mechanism{CKM_AES_GCM, &params, sizeof params};
  CK_RV rv = channel.fn->C_EncryptInit(channel.session, &mechanism, key);
  if (rv != CKR_OK) return refused("C_EncryptInit", rv);
  core::Sealed out;
  out.ciphertext.resize(plaintext.size() + kTag + (appends ? kBlock : 0));
  CK_ULONG size = out.ciphertext.size();
  rv = channel.fn->C_Encrypt(channel.session, input(plaintext), plaintext.size(),
                             out.ciphertext.data(), &size);
  if (rv != CKR_OK) return refused("C_Encrypt", rv);
  const std::size_t record = plaintext.size() + kTag;
  if (appends) {
    if (size != record + kIv && size != record + kBlock) {
      return refuse(Code::kInternal, "no IV behind the tag", CKR_OK);
    }
    const auto tail = out.ciphertext.begin() + static_cast<std::ptrdiff_t>(record);
    out.iv.assign(tail, out.ciphertext.begin() + static_cast<std::ptrdiff_t>(size));
  } else {
    if (size != record) return refuse(Code::kInternal, "GCM length", CKR_OK);
    out.iv.assign(iv.begin(), iv.end());
  }
  if (std::ranges::all_of(out.iv, [](std::uint8_t b) { return b == 0; })) {
    return refuse(Code::kInternal, "the IV is all zero", CKR_OK);
  }
  out.ciphertext.resize(record);
  out.suite = core::Suite::kAes256Gcm;
  return out;
}

base::Result<base::SecretBuffer> gcm_decrypt(const Channel& channel, CK_OBJECT_HANDLE key,
                                             const core::Sealed& sealed, Bytes aad) {
  // SoftHSM takes an empty or a 1-byte IV without complaint (trap 3): never passed on.
  if (sealed.iv.size() < kIv || sealed.iv.size() > kBlock || sealed.ciphertext.size() <= kTag ||
      sealed.ciphertext.size() > kMaxPlaintext + kTag) {
    return refuse(Code::kRecordDamaged, "record form", CKR_OK);
  }
  std::array<std::uint8_t, kBlock> iv{};
  std::ranges::copy(sealed.iv, iv.begin());
  CK_GCM_PARAMS params = gcm_params({iv.data(), sealed.iv.size()}, aad);
  CK_MECHANISM mechanism{CKM_AES_GCM, &params, sizeof params};
  CK_RV rv = channel.fn->C_DecryptInit(channel.session, &mechanism, key);
  if (rv != CKR_OK) return refused("C_DecryptInit", rv);
  base::SecretBuffer out(sealed.ciphertext.size());
  CK_ULONG size = out.size();
  rv = channel.fn->C_Decrypt(channel.session, input(sealed.ciphertext), sealed.ciphertext.size(),
                             out.data(), &size);
  if (rv != CKR_OK) return refused("C_Decrypt", rv);
  if (size != sealed.ciphertext.size() - kTag) return refuse(Code::kInternal, "GCM length", CKR_OK);
  out.resize(size);
  return out;
}

base::Result<core::Sealed> cbc_hmac_encrypt(Channel& channel, CK_OBJECT_HANDLE enc_key,
                                            CK_OBJECT_HANDLE mac_key, Bytes plaintext, Bytes aad) {
  core::Sealed out;
  out.suite = core::Suite::kAes256CbcHmacSha256;
  out.iv.resize(kBlock);
  if (auto taken = take_iv(channel, out.iv); !taken) return std::unexpected(taken.error());
  CK_MECHANISM mechanism{CKM_AES_CBC_PAD, out.iv.data(), out.iv.size()};
  CK_RV rv = channel.fn->C_EncryptInit(channel.session, &mechanism, enc_key);
  if (rv != CKR_OK) return refused("C_EncryptInit", rv);
  const std::size_t padded = (plaintext.size() / kBlock + 1) * kBlock;
  out.ciphertext.reserve(padded + kMacSize);
  out.ciphertext.resize(padded);
  CK_ULONG size = padded;
  rv = channel.fn->C_Encrypt(channel.session, input(plaintext), plaintext.size(),
                             out.ciphertext.data(), &size);
  if (rv != CKR_OK) return refused("C_Encrypt", rv);
  if (size != padded) return refuse(Code::kInternal, "CBC length", CKR_OK);
  auto tag = hmac_sha256(channel, mac_key, mac_input(aad, out.iv, out.ciphertext));
  if (!tag) return std::unexpected(tag.error());
  out.ciphertext.insert(out.ciphertext.end(), tag->begin(), tag->end());
  return out;
}

base::Result<base::SecretBuffer> cbc_hmac_decrypt(const Channel& channel, CK_OBJECT_HANDLE enc_key,
                                                  CK_OBJECT_HANDLE mac_key,
                                                  const core::Sealed& sealed, Bytes aad) {
  const Bytes whole = sealed.ciphertext;
  if (sealed.iv.size() != kBlock || whole.size() < kBlock + kMacSize ||
      whole.size() > kMaxPlaintext + kBlock + kMacSize || whole.size() % kBlock != 0) {
    return refuse(Code::kRecordDamaged, "record form", CKR_OK);
  }
  const Bytes body = whole.first(whole.size() - kMacSize);
  auto tag = hmac_sha256(channel, mac_key, mac_input(aad, sealed.iv, body));
  if (!tag) return std::unexpected(tag.error());
  if (CRYPTO_memcmp(tag->data(), whole.data() + body.size(), kMacSize) != 0) {
    return refuse(Code::kRecordDamaged, "record MAC", CKR_OK);
  }
  CK_MECHANISM mechanism{CKM_AES_CBC_PAD, input(sealed.iv), sealed.iv.size()};
  CK_RV rv = channel.fn->C_DecryptInit(channel.session, &mechanism, enc_key);
  if (rv != CKR_OK) return refused("C_DecryptInit", rv);
  base::SecretBuffer out(body.size());
  CK_ULONG size = out.size();
  rv = channel.fn->C_Decrypt(channel.session, input(body), body.size(), out.data(), &size);
  if (rv != CKR_OK) return refused("C_Decrypt", rv);
  out.resize(std::min<std::size_t>(size, out.size()));
  return out;
}

base::Result<std::vector<std::uint8_t>> sign_es256(const Channel& channel, CK_OBJECT_HANDLE key,
                                                   Bytes data) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  ::SHA256(data.data(), data.size(), digest.data());
  return sign_with(channel, CKM_ECDSA, key, digest);
}

base::Result<std::vector<std::uint8_t>> sign_ed25519(const Channel& channel, CK_OBJECT_HANDLE key,
                                                     Bytes data) {
  return sign_with(channel, CKM_EDDSA, key, data);
}

}  // namespace cardvault::hsm
