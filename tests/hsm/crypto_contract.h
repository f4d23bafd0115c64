// The contract of core::Crypto, run against the fake and against every real module. Instantiate
// with a name and a function that makes the implementation under test, with version 1 of every key.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/hsm/signature_check.h"
#include "vault/core/crypto.h"

namespace cardvault::hsm::testing {

struct UnderTest {
  std::shared_ptr<void> keeps_alive;
  core::Crypto* crypto = nullptr;
  // 65 bytes 04 ‖ x ‖ y, or 32 of Ed25519.
  std::function<std::vector<std::uint8_t>(core::KeyRef)> public_key;
};

struct Implementation {
  std::string name;
  core::Suite suite;
  std::function<UnderTest()> make;
  friend void PrintTo(const Implementation& it, std::ostream* out) { *out << it.name; }
};

using core::KeyPurpose;
using core::KeyRef;

inline constexpr KeyRef kPanKey{KeyPurpose::kPanEnc, 1};
inline constexpr KeyRef kIdKey{KeyPurpose::kIdEnc, 1};
inline constexpr KeyRef kIndexKey{KeyPurpose::kPanIndex, 1};

class CryptoContract : public ::testing::TestWithParam<Implementation> {
 protected:
  void SetUp() override { under_test_ = GetParam().make(); }
  [[nodiscard]] core::Crypto& crypto() const { return *under_test_.crypto; }
  [[nodiscard]] core::Sealed seal(std::string_view text, std::string_view aad) const {
    auto sealed = crypto().encrypt(kPanKey, base::as_bytes(text), base::as_bytes(aad));
    EXPECT_TRUE(sealed) << base::code_name(sealed.error().code);
    return sealed ? *sealed : core::Sealed{};
  }
  void expect_damaged(const core::Sealed& sealed, std::string_view aad, KeyRef key = kPanKey) {
    auto opened = crypto().decrypt(key, sealed, base::as_bytes(aad));
    ASSERT_FALSE(opened);
    EXPECT_EQ(base::code_name(opened.error().code), "record_damaged")
        << opened.error().operation << " " << opened.error().number;
  }
  UnderTest under_test_;
};

TEST_P(CryptoContract, SaysTheSuiteThatItEncryptsWith) {
  EXPECT_EQ(crypto().suite(kPanKey), GetParam().suite);
  EXPECT_EQ(seal("4111111111111111", "aad").suite, GetParam().suite);
}

TEST_P(CryptoContract, DecryptsWhatItEncrypted) {
  for (const std::size_t size : {1U, 15U, 16U, 17U, 31U, 32U, 100U, 4096U}) {
    const std::string text(size, 'x');
    const core::Sealed sealed = seal(text, "aad");
    EXPECT_EQ(sealed.suite, GetParam().suite);
    auto opened = crypto().decrypt(kPanKey, sealed, base::as_bytes("aad"));
    ASSERT_TRUE(opened) << size;
    EXPECT_EQ(base::as_text(*opened), text);
  }
}

TEST_P(CryptoContract, ShapesRecordsAsTheSuiteSays) {
  const core::Sealed sealed = seal("4111111111111111", "aad");
  const bool gcm = sealed.suite == core::Suite::kAes256Gcm;
  EXPECT_EQ(sealed.iv.size(), gcm ? 12U : 16U);
  EXPECT_EQ(sealed.ciphertext.size(), gcm ? 16U + 16U : 32U + 32U);
}

TEST_P(CryptoContract, TakesAnEmptyAad) {
  const core::Sealed sealed = seal("text", "");
  auto opened = crypto().decrypt(kPanKey, sealed, {});
  ASSERT_TRUE(opened);
  EXPECT_EQ(base::as_text(*opened), "text");
  expect_damaged(sealed, "x");
}

TEST_P(CryptoContract, NeverEncryptsTheSameTextToTheSameBytes) {
  std::set<std::vector<std::uint8_t>> ivs;
  std::set<std::vector<std::uint8_t>> ciphertexts;
  for (int i = 0; i < 200; ++i) {
    const core::Sealed sealed = seal("4111111111111111", "aad");
    ivs.insert(sealed.iv);
    ciphertexts.insert(sealed.ciphertext);
  }
  EXPECT_EQ(ivs.size(), 200U);
  EXPECT_EQ(ciphertexts.size(), 200U);
}

TEST_P(CryptoContract, RefusesPlaintextsOutsideItsRange) {
  EXPECT_FALSE(crypto().encrypt(kPanKey, {}, {}));
  const std::vector<std::uint8_t> long_text(4097);
  EXPECT_FALSE(crypto().encrypt(kPanKey, long_text, {}));
}

TEST_P(CryptoContract, NamesEveryChangedByteDamage) {
  const core::Sealed sealed = seal("4111111111111111", "aad");
  for (std::size_t i = 0; i < sealed.ciphertext.size(); ++i) {
    core::Sealed changed = sealed;
    changed.ciphertext[i] ^= 1;
    expect_damaged(changed, "aad");
  }
  for (std::size_t i = 0; i < sealed.iv.size(); ++i) {
    core::Sealed changed = sealed;
    changed.iv[i] ^= 0x80;
    expect_damaged(changed, "aad");
  }
  EXPECT_TRUE(crypto().decrypt(kPanKey, sealed, base::as_bytes("aad"))) << "the token is fine";
}

TEST_P(CryptoContract, NamesMisshapenRecordsDamage) {
  const core::Sealed sealed = seal("4111111111111111", "aad");
  for (const std::size_t keep : {std::size_t{0}, std::size_t{1}, std::size_t{15}, std::size_t{16},
                                 sealed.ciphertext.size() - 1}) {
    core::Sealed cut = sealed;
    cut.ciphertext.resize(keep);
    expect_damaged(cut, "aad");
  }
  for (const std::size_t keep : {std::size_t{0}, std::size_t{1}, sealed.iv.size() - 1}) {
    core::Sealed cut = sealed;
    cut.iv.resize(keep);
    expect_damaged(cut, "aad");
  }
  core::Sealed longer = sealed;
  longer.ciphertext.push_back(0);
  expect_damaged(longer, "aad");
}

TEST_P(CryptoContract, BindsRecordsToAadAndKey) {
  const core::Sealed sealed = seal("4111111111111111", "token 1 customer 1");
  expect_damaged(sealed, "token 2 customer 1");
  expect_damaged(sealed, "");
  expect_damaged(sealed, "token 1 customer 1", kIdKey);
}

TEST_P(CryptoContract, MacsAreStableAndKeyed) {
  const auto pan = base::as_bytes("4111111111111111");
  auto first = crypto().mac(kIndexKey, pan);
  ASSERT_TRUE(first);
  EXPECT_EQ(*first, *crypto().mac(kIndexKey, pan));
  EXPECT_NE(*first, *crypto().mac(kIndexKey, base::as_bytes("5555555555554444")));
  EXPECT_NE(*first, *crypto().mac({KeyPurpose::kIdIndex, 1}, pan));
  EXPECT_NE(*first, *crypto().mac({KeyPurpose::kOtpMac, 1}, pan));
  EXPECT_TRUE(crypto().mac(kIndexKey, {}));
}

TEST_P(CryptoContract, NamesMissingKeys) {
  const auto data = base::as_bytes("x");
  const core::Sealed sealed = seal("x", "");
  const auto is_missing = [](const auto& result) {
    return !result && result.error().code == base::Code::kKeyMissing;
  };
  EXPECT_TRUE(is_missing(crypto().mac({KeyPurpose::kPanIndex, 7}, data)));
  EXPECT_TRUE(is_missing(crypto().encrypt({KeyPurpose::kPanEnc, 7}, data, {})));
  EXPECT_TRUE(is_missing(crypto().decrypt({KeyPurpose::kPanEnc, 7}, sealed, {})));
  EXPECT_TRUE(is_missing(crypto().sign({KeyPurpose::kSealSign, 7}, data)));
}

TEST_P(CryptoContract, KeysServeOnePurposeOnly) {
  const auto data = base::as_bytes("x");
  EXPECT_FALSE(crypto().mac(kPanKey, data));
  EXPECT_FALSE(crypto().encrypt(kIndexKey, data, {}));
  EXPECT_FALSE(crypto().sign(kIndexKey, data));
  EXPECT_FALSE(crypto().mac({KeyPurpose::kSealSign, 1}, data));
}

TEST_P(CryptoContract, RandomBytesDiffer) {
  std::set<std::vector<std::uint8_t>> seen;
  for (int i = 0; i < 100; ++i) {
    std::vector<std::uint8_t> bytes(16);
    ASSERT_TRUE(crypto().random(bytes));
    seen.insert(bytes);
  }
  EXPECT_EQ(seen.size(), 100U);
  EXPECT_TRUE(crypto().random({}));
}

TEST_P(CryptoContract, SignaturesVerifyUnderThePublicKey) {
  for (const KeyPurpose purpose : {KeyPurpose::kSealSign, KeyPurpose::kAuditSign}) {
    const auto data = base::as_bytes("a checkpoint");
    auto signature = crypto().sign({purpose, 1}, data);
    ASSERT_TRUE(signature) << base::code_name(signature.error().code);
    ASSERT_EQ(signature->size(), 64U);
    const auto point = under_test_.public_key({purpose, 1});
    EXPECT_TRUE(verifies(point, data, *signature));
    EXPECT_FALSE(verifies(point, base::as_bytes("another"), *signature));
  }
}

TEST_P(CryptoContract, WorksFromManyThreadsAtOnce) {
  std::vector<std::jthread> threads;
  std::atomic<int> failures = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::string text = "card of thread " + std::to_string(t);
      for (int i = 0; i < 100; ++i) {
        auto sealed = crypto().encrypt(kPanKey, base::as_bytes(text), base::as_bytes("aad"));
        if (!sealed) {
          ++failures;
          continue;
        }
        auto opened = crypto().decrypt(kPanKey, *sealed, base::as_bytes("aad"));
        if (!opened || base::as_text(*opened) != text) ++failures;
        if (!crypto().mac(kIndexKey, base::as_bytes(text))) ++failures;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(failures, 0);
}

}  // namespace cardvault::hsm::testing
