#include "tests/fakes/fake_crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <memory>

#include "vault/base/check.h"

namespace cardvault::fakes {
namespace {

using base::Code;
using core::KeyPurpose;
using Bytes = std::span<const std::uint8_t>;
using Block = std::array<std::uint8_t, 32>;
using PkeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using CipherPtr = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

constexpr std::size_t kTag = 16;
constexpr std::size_t kMacSize = 32;

bool is_encryption(KeyPurpose purpose) {
  return purpose == KeyPurpose::kPanEnc || purpose == KeyPurpose::kIdEnc ||
         purpose == KeyPurpose::kSecretEnc;
}

core::Mac hmac(const Block& key, Bytes data) {
  core::Mac out;
  unsigned size = 0;
  CARDVAULT_CHECK(::HMAC(EVP_sha256(), key.data(), int(key.size()), data.data(), data.size(),
                         out.data(), &size) != nullptr);
  return out;
}

core::Mac cbc_tag(const Block& key, Bytes aad, Bytes iv, Bytes ciphertext) {
  std::vector<std::uint8_t> input(aad.begin(), aad.end());
  input.insert(input.end(), iv.begin(), iv.end());
  input.insert(input.end(), ciphertext.begin(), ciphertext.end());
  const std::uint64_t bits = std::uint64_t{aad.size()} * 8;
  for (int shift = 56; shift >= 0; shift -= 8) {
    input.push_back(static_cast<std::uint8_t>(bits >> shift));
  }
  return hmac(key, input);
}

// One pass of GCM or CBC; `tag` is written or checked with GCM. False: does not decrypt.
bool run_cipher(const EVP_CIPHER* cipher, bool encrypt, const Block& key, Bytes iv, Bytes aad,
                Bytes in, std::span<std::uint8_t> out, std::size_t& size,
                std::span<std::uint8_t> tag) {
  const CipherPtr context(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int written = 0;
  int last = 0;
  if (EVP_CipherInit_ex(context.get(), cipher, nullptr, key.data(), iv.data(), encrypt) != 1 ||
      (!aad.empty() &&
       EVP_CipherUpdate(context.get(), nullptr, &written, aad.data(), int(aad.size())) != 1) ||
      EVP_CipherUpdate(context.get(), out.data(), &written, in.data(), int(in.size())) != 1) {
    return false;
  }
  if (!encrypt && !tag.empty() &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, int(tag.size()), tag.data()) != 1) {
    return false;
  }
  if (EVP_CipherFinal_ex(context.get(), out.data() + written, &last) != 1) return false;
  size = static_cast<std::size_t>(written + last);
  return !encrypt || tag.empty() ||
         EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, int(tag.size()), tag.data()) == 1;
}

core::Sealed seal_gcm(const Block& key, Bytes plaintext, Bytes aad) {
  core::Sealed out;
  out.iv.resize(12);
  CARDVAULT_CHECK(RAND_bytes(out.iv.data(), int(out.iv.size())) == 1);
  out.ciphertext.resize(plaintext.size() + kTag);
  std::size_t size = 0;
  CARDVAULT_CHECK(run_cipher(EVP_aes_256_gcm(), true, key, out.iv, aad, plaintext, out.ciphertext,
                             size, std::span(out.ciphertext).last(kTag)));
  return out;
}

core::Sealed seal_cbc(const Block& key, const Block& mac_key, Bytes plaintext, Bytes aad) {
  core::Sealed out;
  out.suite = core::Suite::kAes256CbcHmacSha256;
  out.iv.resize(16);
  CARDVAULT_CHECK(RAND_bytes(out.iv.data(), int(out.iv.size())) == 1);
  out.ciphertext.resize(plaintext.size() + 16);
  std::size_t size = 0;
  CARDVAULT_CHECK(
      run_cipher(EVP_aes_256_cbc(), true, key, out.iv, {}, plaintext, out.ciphertext, size, {}));
  out.ciphertext.resize(size);
  const core::Mac tag = cbc_tag(mac_key, aad, out.iv, out.ciphertext);
  out.ciphertext.insert(out.ciphertext.end(), tag.begin(), tag.end());
  return out;
}

std::vector<std::uint8_t> raw_ecdsa(Bytes der) {
  const unsigned char* at = der.data();
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> parsed(
      d2i_ECDSA_SIG(nullptr, &at, long(der.size())), &ECDSA_SIG_free);
  std::vector<std::uint8_t> out(64);
  CARDVAULT_CHECK(parsed && BN_bn2binpad(ECDSA_SIG_get0_r(parsed.get()), out.data(), 32) == 32 &&
                  BN_bn2binpad(ECDSA_SIG_get0_s(parsed.get()), out.data() + 32, 32) == 32);
  return out;
}

}  // namespace

struct FakeCrypto::Key {
  Block secret{};
  Block second{};  // suite 2's MAC key
  PkeyPtr pair{nullptr, &EVP_PKEY_free};
};

FakeCrypto::FakeCrypto() {
  for (const KeyPurpose purpose : core::kAllKeyPurposes) add_key({purpose, 1});
}
FakeCrypto::~FakeCrypto() = default;

void FakeCrypto::add_key(core::KeyRef key) {
  Key made;
  if (key.purpose == KeyPurpose::kAuditSign) {
    made.pair.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  } else if (is_signature(key.purpose)) {
    made.pair.reset(EVP_EC_gen("P-256"));
  } else {
    CARDVAULT_CHECK(RAND_bytes(made.secret.data(), int(made.secret.size())) == 1);
    CARDVAULT_CHECK(RAND_bytes(made.second.data(), int(made.second.size())) == 1);
  }
  const std::lock_guard lock(mutex_);
  keys_.insert_or_assign(key, std::move(made));
}

void FakeCrypto::remove_key(core::KeyRef key) {
  const std::lock_guard lock(mutex_);
  keys_.erase(key);
}

void FakeCrypto::use_suite(core::Suite suite) {
  const std::lock_guard lock(mutex_);
  suite_ = suite;
}

void FakeCrypto::fail_next(base::Error error, int count, int after) {
  const std::lock_guard lock(mutex_);
  failures_.insert(failures_.end(), static_cast<std::size_t>(after), std::nullopt);
  failures_.insert(failures_.end(), static_cast<std::size_t>(count), error);
}

void FakeCrypto::set_down(bool down) {
  const std::lock_guard lock(mutex_);
  down_ = down;
}

std::uint64_t FakeCrypto::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

base::Result<void> FakeCrypto::begin() {
  ++calls_;
  if (!failures_.empty()) {
    const std::optional<base::Error> error = failures_.front();
    failures_.pop_front();
    if (error) return std::unexpected(*error);
  }
  if (down_) return base::fail(Code::kHsmUnavailable, "fake token");
  return {};
}

base::Result<const FakeCrypto::Key*> FakeCrypto::begin(core::KeyRef key) {
  if (auto begun = begin(); !begun) return std::unexpected(begun.error());
  const auto found = keys_.find(key);
  if (found == keys_.end()) return base::fail(Code::kKeyMissing, "find key");
  return &found->second;
}

base::Result<core::SigningPublicKey> FakeCrypto::public_key(core::KeyRef key) const {
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(key);
  if (found == keys_.end() || !found->second.pair) {
    return base::fail(base::Code::kKeyMissing, "fake.public_key");
  }
  const EVP_PKEY* pair = found->second.pair.get();
  std::vector<std::uint8_t> out(65);
  std::size_t size = out.size();
  if (key.purpose == KeyPurpose::kAuditSign) {
    CARDVAULT_CHECK(EVP_PKEY_get_raw_public_key(pair, out.data(), &size) == 1);
  } else {
    CARDVAULT_CHECK(EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_PUB_KEY, out.data(),
                                                    out.size(), &size) == 1);
  }
  out.resize(size);
  return core::SigningPublicKey{key.purpose == KeyPurpose::kAuditSign, std::move(out)};
}

core::Suite FakeCrypto::suite(core::KeyRef /*key*/) const {
  const std::scoped_lock lock(mutex_);
  return suite_;
}

base::Result<core::Mac> FakeCrypto::mac(core::KeyRef key, Bytes data) {
  const std::lock_guard lock(mutex_);
  auto found = begin(key);
  if (!found) return std::unexpected(found.error());
  if (is_encryption(key.purpose) || is_signature(key.purpose)) {
    return base::fail(Code::kKeyMissing, "a key of another kind");
  }
  return hmac((*found)->secret, data);
}

base::Result<core::Sealed> FakeCrypto::encrypt(core::KeyRef key, Bytes plaintext, Bytes aad) {
  if (plaintext.empty() || plaintext.size() > 4096) {
    return base::fail(Code::kInternal, "plaintext length");
  }
  const std::lock_guard lock(mutex_);
  auto found = begin(key);
  if (!found) return std::unexpected(found.error());
  if (!is_encryption(key.purpose)) return base::fail(Code::kKeyMissing, "a key of another kind");
  const Key& used = **found;
  return suite_ == core::Suite::kAes256Gcm ? seal_gcm(used.secret, plaintext, aad)
                                           : seal_cbc(used.secret, used.second, plaintext, aad);
}

base::Result<base::SecretBuffer> FakeCrypto::decrypt(core::KeyRef key, const core::Sealed& sealed,
                                                     Bytes aad) {
  const std::lock_guard lock(mutex_);
  auto found = begin(key);
  if (!found) return std::unexpected(found.error());
  if (!is_encryption(key.purpose)) return base::fail(Code::kKeyMissing, "a key of another kind");
  const Key& used = **found;
  const bool gcm = sealed.suite == core::Suite::kAes256Gcm;
  const std::size_t tag_size = gcm ? kTag : kMacSize;
  if (sealed.iv.size() != (gcm ? 12U : 16U) || sealed.ciphertext.size() <= tag_size) {
    return base::fail(Code::kRecordDamaged, "record form");
  }
  const Bytes body = Bytes(sealed.ciphertext).first(sealed.ciphertext.size() - tag_size);
  std::vector<std::uint8_t> tag(sealed.ciphertext.end() - std::ptrdiff_t(tag_size),
                                sealed.ciphertext.end());
  if (!gcm) {
    const core::Mac right = cbc_tag(used.second, aad, sealed.iv, body);
    if (CRYPTO_memcmp(right.data(), tag.data(), tag.size()) != 0) {
      return base::fail(Code::kRecordDamaged, "record MAC");
    }
  }
  base::SecretBuffer out(body.size() + 16);
  std::size_t size = 0;
  const bool opened = run_cipher(gcm ? EVP_aes_256_gcm() : EVP_aes_256_cbc(), false, used.secret,
                                 sealed.iv, gcm ? aad : Bytes(), body, out, size,
                                 gcm ? std::span(tag) : std::span<std::uint8_t>());
  if (!opened) return base::fail(Code::kRecordDamaged, "record tag");
  out.resize(size);
  return out;
}

base::Result<void> FakeCrypto::random(std::span<std::uint8_t> out) {
  const std::lock_guard lock(mutex_);
  if (auto begun = begin(); !begun) return begun;
  CARDVAULT_CHECK(RAND_bytes(out.data(), int(out.size())) == 1);
  return {};
}

base::Result<std::vector<std::uint8_t>> FakeCrypto::sign(core::KeyRef key, Bytes data) {
  const std::lock_guard lock(mutex_);
  auto found = begin(key);
  if (!found) return std::unexpected(found.error());
  if (!is_signature(key.purpose)) return base::fail(Code::kKeyMissing, "a key of another kind");
  const bool edwards = key.purpose == KeyPurpose::kAuditSign;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  std::vector<std::uint8_t> out(80);
  std::size_t size = out.size();
  CARDVAULT_CHECK(EVP_DigestSignInit(context.get(), nullptr, edwards ? nullptr : EVP_sha256(),
                                     nullptr, (*found)->pair.get()) == 1 &&
                  EVP_DigestSign(context.get(), out.data(), &size, data.data(), data.size()) == 1);
  out.resize(size);
  return edwards ? out : raw_ecdsa(out);
}

}  // namespace cardvault::fakes
