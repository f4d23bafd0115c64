#include "hsm/self_test.h"

#include <openssl/crypto.h>

#include <algorithm>

namespace cardvault::hsm {
namespace {

using base::Code;
using On = Connection::On;

std::unexpected<base::Error> wrong(const char* what) { return base::fail(Code::kInternal, what); }

base::Result<void> expect_canary(const Connection& connection, const Channel& channel,
                                 const RingKey& key, On where, const core::Sealed& sealed,
                                 Code otherwise) {
  auto opened = connection.decrypt(channel, key, where, sealed, base::as_bytes(kCanaryText));
  if (!opened) {
    // A loss is a loss; anything else means that this key cannot open what it closed.
    if (opened.error().code == Code::kKeyMissing) return std::unexpected(opened.error());
    return base::fail(otherwise, "self-test: canary", opened.error().number);
  }
  if (base::as_text(*opened) != kCanaryText) return wrong("self-test: decryption");
  return {};
}

base::Result<void> test_encryption(const Connection& connection, Channel& channel,
                                   const RingKey& key, Witness& witness, bool newest) {
  const auto text = base::as_bytes(kCanaryText);
  if (const auto known = witness.canaries.find(key.ref); known != witness.canaries.end()) {
    auto same =
        expect_canary(connection, channel, key, On::kWorking, known->second, Code::kHsmUnavailable);
    if (!same) return same;
  } else {
    auto canary = connection.encrypt(channel, key, text, text);
    if (!canary) return std::unexpected(canary.error());
    auto opened =
        expect_canary(connection, channel, key, On::kWorking, *canary, Code::kHsmUnavailable);
    if (!opened) return opened;
    witness.canaries.emplace(key.ref, std::move(*canary));
  }
  const core::Sealed& canary = witness.canaries.at(key.ref);
  auto on_token =
      expect_canary(connection, channel, key, On::kToken, canary, Code::kHsmUnavailable);
  if (!on_token || !newest) return on_token;
  auto again = connection.encrypt(channel, key, text, text);
  if (!again) return std::unexpected(again.error());
  if (again->ciphertext == canary.ciphertext || again->iv == canary.iv) {
    return wrong("self-test: the same text encrypts to the same bytes twice");
  }
  if (connection.decrypt(channel, key, On::kWorking, *again, base::as_bytes("another aad"))) {
    return wrong("self-test: a changed AAD was accepted");
  }
  return expect_canary(connection, channel, key, On::kWorking, *again, Code::kHsmUnavailable);
}

base::Result<void> test_mac(const Channel& channel, const RingKey& key, Witness& witness) {
  auto working = hmac_sha256(channel, key.working, base::as_bytes(kKcvText));
  if (!working) return std::unexpected(working.error());
  auto on_token = hmac_sha256(channel, key.on_token, base::as_bytes(kKcvText));
  if (!on_token) return std::unexpected(on_token.error());
  auto other = hmac_sha256(channel, key.working, base::as_bytes(kCanaryText));
  if (!other) return std::unexpected(other.error());
  if (*working != *on_token || *working == *other) return wrong("self-test: HMAC");
  const auto [known, added] = witness.macs.emplace(key.ref, *working);
  if (!added && CRYPTO_memcmp(known->second.data(), working->data(), working->size()) != 0) {
    return base::fail(Code::kHsmUnavailable, "self-test: an HMAC key is not the one it was");
  }
  return {};
}

// A signing key has no canary: that its public half is the one it was is what can be compared.
base::Result<void> test_signing(const Channel& channel, const RingKey& key, Witness& witness,
                                bool newest) {
  if (newest) {
    const auto made = Connection::sign(channel, key, base::as_bytes(kCanaryText));
    if (!made) return std::unexpected(made.error());
  }
  if (key.public_key.empty()) return {};
  const auto [known, added] = witness.points.emplace(key.ref, key.public_key);
  if (!added && known->second != key.public_key) {
    return base::fail(Code::kHsmUnavailable, "self-test: a signing key is not the one it was");
  }
  return {};
}

base::Result<void> test_random(const Channel& channel) {
  std::array<std::uint8_t, 32> first{};
  std::array<std::uint8_t, 32> second{};
  if (auto got = random_bytes(channel, first); !got) return got;
  if (auto got = random_bytes(channel, second); !got) return got;
  if (first == second || first == std::array<std::uint8_t, 32>{}) {
    return wrong("self-test: the random generator repeats itself");
  }
  return {};
}

}  // namespace

base::Result<GcmIv> probe_gcm_iv(Channel channel, const RingKey& key) {
  const auto text = base::as_bytes(kCanaryText);
  base::Error last;
  for (const GcmIv mode : {GcmIv::kCaller, GcmIv::kModuleInParams, GcmIv::kModuleAppends}) {
    channel.gcm_iv = mode;
    auto sealed = gcm_encrypt(channel, key.working, text, text);
    if (sealed && gcm_decrypt(channel, key.working, *sealed, text)) return mode;
    last = sealed ? base::Error{Code::kInternal, "self-test: GCM decryption", 0} : sealed.error();
    if (last.number != 0 && last.code == Code::kHsmUnavailable) break;
  }
  return std::unexpected(last);
}

base::Result<void> self_test(const Connection& connection, Channel& channel, Witness& witness) {
  if (auto random = test_random(channel); !random) return random;
  for (const core::KeyPurpose purpose : core::kAllKeyPurposes) {
    for (const RingKey& key : connection.keys().of(purpose)) {
      const bool newest = &key == connection.keys().newest(purpose);
      const auto tested = is_encryption(purpose)
                              ? test_encryption(connection, channel, key, witness, newest)
                          : is_signature(purpose) ? test_signing(channel, key, witness, newest)
                                                  : test_mac(channel, key, witness);
      if (!tested) return tested;
    }
  }
  return {};
}

}  // namespace cardvault::hsm
