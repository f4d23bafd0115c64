#include "hsm/connection.h"

#include "hsm/error.h"
#include "hsm/mechanism_probe.h"
#include "hsm/self_test.h"
#include "vault/base/log.h"

namespace cardvault::hsm {
namespace {

using base::Code;

base::Result<void> log_in(const Module& module, const CK_TOKEN_INFO& info, const Session& session,
                          const base::SecretText& pin) {
  if ((info.flags & (CKF_USER_PIN_LOCKED | CKF_USER_PIN_FINAL_TRY)) != 0) {
    // The last try is left to a person.
    return refuse(Code::kHsmPinRefused, "C_Login not tried: PIN locked or one try left",
                  CKR_PIN_LOCKED);
  }
  const auto text = pin.expose();
  const CK_RV rv = module.fn()->C_Login(
      session.handle(), CKU_USER,
      reinterpret_cast<CK_UTF8CHAR_PTR>(const_cast<char*>(text.data())),  // NOLINT: not written
      text.size());
  if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN) return {};
  return refuse(ckr_is_pin_refusal(rv) ? Code::kHsmPinRefused : Code::kHsmUnavailable, "C_Login",
                rv);
}

const RingKey* any_encryption_key(const KeyRing& keys) {
  for (const core::KeyPurpose purpose : core::kAllKeyPurposes) {
    if (!is_encryption(purpose)) continue;
    if (const RingKey* key = keys.newest(purpose)) return key;
  }
  return nullptr;
}

}  // namespace

base::Result<std::unique_ptr<Connection>> Connection::open(
    const Module& module, const TokenUri& uri, const base::SecretText& pin,
    const TokenConfig& config, const std::set<core::KeyRef>& left_out, Witness& witness) {
  auto slot = module.find_token(uri);
  if (!slot) return std::unexpected(outside_login(slot.error()));
  std::unique_ptr<Connection> out(new Connection(*slot));
  for (unsigned i = 0; i < std::max(1U, config.sessions); ++i) {
    auto session = Session::open(module, *slot, false);
    if (!session) return std::unexpected(outside_login(session.error()));
    out->sessions_.push_back(std::move(*session));
  }
  if (const CK_RV rv = module.fn()->C_GetTokenInfo(*slot, &out->info_); rv != CKR_OK) {
    return refuse(Code::kHsmUnavailable, "C_GetTokenInfo", rv);
  }
  if (auto in = log_in(module, out->info_, out->sessions_.front(), pin); !in) {
    return std::unexpected(in.error());
  }
  if (auto ready = out->prepare(module, config, left_out, witness); !ready) {
    return std::unexpected(outside_login(ready.error()));
  }
  return out;
}

base::Result<void> Connection::prepare(const Module& module, const TokenConfig& config,
                                       const std::set<core::KeyRef>& left_out, Witness& witness) {
  const auto findings = probe_mechanisms(module, slot_, info_, config.cbc_hmac);
  for (const MechanismFinding& finding : findings) {
    if (finding.required && !finding.present) {
      return refuse(Code::kMechanismMissing, finding.name, CKR_MECHANISM_INVALID);
    }
  }
  first_.fn = module.fn();
  first_.session = sessions_.front().handle();
  auto keys = KeyRing::find(first_.fn, first_.session, config.session_copies, left_out);
  if (!keys) return std::unexpected(keys.error());
  keys_ = std::move(*keys);
  if (keys_.refused_copies() > 0) {
    base::log(base::Level::kNotice, "the module copies not all keys; working on the token's own",
              {{"keys", std::to_string(keys_.refused_copies())}});
  }
  const RingKey* any = any_encryption_key(keys_);
  suite_ = config.cbc_hmac || !has_gcm(module, slot_) ? core::Suite::kAes256CbcHmacSha256
                                                      : core::Suite::kAes256Gcm;
  if (suite_ == core::Suite::kAes256Gcm && any != nullptr) {
    auto mode = probe_gcm_iv(first_, *any);
    if (!mode) return std::unexpected(mode.error());
    first_.gcm_iv = *mode;
  }
  if (auto tested = self_test(*this, first_, witness); !tested) return tested;
  canaries_ = witness.canaries;
  return {};
}

std::vector<Channel> Connection::channels() const {
  std::vector<Channel> out;
  for (const Session& session : sessions_) {
    Channel channel;
    channel.fn = first_.fn;
    channel.session = session.handle();
    channel.gcm_iv = first_.gcm_iv;
    out.push_back(channel);
  }
  return out;
}

base::Result<core::Sealed> Connection::encrypt(Channel& channel, const RingKey& key,
                                               std::span<const std::uint8_t> plaintext,
                                               std::span<const std::uint8_t> aad) const {
  if (suite_ == core::Suite::kAes256Gcm) return gcm_encrypt(channel, key.working, plaintext, aad);
  if (key.mac_working == 0) return base::fail(Code::kKeyMissing, "second key of suite 2");
  return cbc_hmac_encrypt(channel, key.working, key.mac_working, plaintext, aad);
}

base::Result<base::SecretBuffer> Connection::decrypt(const Channel& channel, const RingKey& key,
                                                     On where, const core::Sealed& sealed,
                                                     std::span<const std::uint8_t> aad) const {
  const bool token = where == On::kToken;
  const CK_OBJECT_HANDLE enc = token ? key.on_token : key.working;
  switch (sealed.suite) {
    case core::Suite::kAes256Gcm:
      return gcm_decrypt(channel, enc, sealed, aad);
    case core::Suite::kAes256CbcHmacSha256: {
      const CK_OBJECT_HANDLE mac = token ? key.mac_on_token : key.mac_working;
      if (mac == 0) return base::fail(Code::kKeyMissing, "second key of suite 2");
      return cbc_hmac_decrypt(channel, enc, mac, sealed, aad);
    }
  }
  return base::fail(Code::kRecordDamaged, "suite");
}

base::Result<void> Connection::open_canary(const Channel& channel, const RingKey& key,
                                           On where) const {
  auto opened = decrypt(channel, key, where, canaries_.at(key.ref), base::as_bytes(kCanaryText));
  if (!opened) return std::unexpected(opened.error());
  if (base::as_text(*opened) != kCanaryText) return base::fail(Code::kInternal, "canary");
  return {};
}

base::Result<void> Connection::check(const Channel& channel) const {
  if (const RingKey* key = any_encryption_key(keys_)) {
    return open_canary(channel, *key, On::kToken);
  }
  std::array<std::uint8_t, 16> ignored{};
  return random_bytes(channel, ignored);
}

base::Result<void> Connection::rehearse(Channel& channel, const RingKey* key, Work work) const {
  const auto text = base::as_bytes(kCanaryText);
  const auto outcome = [](const auto& done) {
    return done ? base::Result<void>() : std::unexpected(done.error());
  };
  switch (work) {
    case Work::kEncrypt:
      return outcome(encrypt(channel, *key, text, text));
    case Work::kDecrypt:
      return open_canary(channel, *key, On::kWorking);
    case Work::kMac:
      return outcome(hmac_sha256(channel, key->working, text));
    case Work::kSign:
      return outcome(sign(channel, *key, text));
    case Work::kRandom:
      std::array<std::uint8_t, 16> ignored{};
      return random_bytes(channel, ignored);
  }
  return base::fail(Code::kInternal, "rehearse");
}

base::Result<std::vector<std::uint8_t>> Connection::sign(const Channel& channel, const RingKey& key,
                                                         std::span<const std::uint8_t> data) {
  return key.sign == SignKind::kEd25519 ? sign_ed25519(channel, key.working, data)
                                        : sign_es256(channel, key.working, data);
}

}  // namespace cardvault::hsm
