// Keys wrapped under the custodians' backup key, and brought back on another token.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "hsm/connection.h"
#include "hsm/key_maker.h"
#include "hsm/wrapping_key.h"
#include "tests/hsm/test_token.h"

namespace cardvault::hsm::testing {
namespace {

using base::Code;
using core::KeyPurpose;
using core::KeyRef;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::vector<KeyRef> kSymmetric = {{KeyPurpose::kPanEnc, 1}, {KeyPurpose::kPanIndex, 1}};

base::SecretBuffer backup_key(std::uint8_t first = 7) {
  base::SecretBuffer key(kBackupKeyBytes, 0x5a);
  key[0] = first;
  return key;
}

TestToken::Options with_keys(std::vector<KeyPurpose> purposes) {
  TestToken::Options options;
  options.purposes = std::move(purposes);
  return options;
}

std::map<std::string, KeyReport> by_label(KeyMaker& maker) {
  std::map<std::string, KeyReport> out;
  const auto list = maker.list();
  EXPECT_TRUE(list);
  for (const KeyReport& report : *list) out[report.label] = report;
  return out;
}

class KeyBackup : public ::testing::TestWithParam<Kind> {
 protected:
  TestToken token{GetParam(), with_keys({KeyPurpose::kPanEnc, KeyPurpose::kPanIndex,
                                         KeyPurpose::kSealSign, KeyPurpose::kAuditSign})};
  TestToken empty{GetParam(), with_keys({})};

  // One module at a time in a process: NSS has one token per process.
  std::vector<WrappedKey> wrapped() {
    auto done = KeyMaker::open(token.config)->wrap(kSymmetric, backup_key());
    EXPECT_TRUE(done) << done.error().operation << " " << done.error().number;
    return done ? *done : std::vector<WrappedKey>();
  }
};

TEST_P(KeyBackup, RestoredKeysOpenWhatTheFirstOnesSealed) {
  core::Sealed sealed;
  core::Mac mac;
  {
    const auto crypto = TokenCrypto::open(token.config);
    sealed = *crypto->encrypt(kSymmetric[0], base::as_bytes("a card"), base::as_bytes("aad"));
    mac = *crypto->mac(kSymmetric[1], base::as_bytes("a card"));
  }
  const auto keys = wrapped();
  {
    const auto back = KeyMaker::open(empty.config)->unwrap(keys, backup_key());
    ASSERT_TRUE(back) << back.error().operation << " " << back.error().number;
    ASSERT_EQ(back->size(), 2U);
  }
  const auto crypto = TokenCrypto::open(empty.config);
  ASSERT_EQ(crypto->state(), HsmState::kReady);
  const auto opened = crypto->decrypt(kSymmetric[0], sealed, base::as_bytes("aad"));
  ASSERT_TRUE(opened);
  EXPECT_EQ(base::as_text(*opened), "a card");
  EXPECT_EQ(crypto->mac(kSymmetric[1], base::as_bytes("a card")), mac);
}

TEST_P(KeyBackup, RestoredKeysAreSensitiveSinglePurposeAndStay) {
  const auto keys = wrapped();
  const auto before = by_label(*KeyMaker::open(token.config));
  const auto maker = KeyMaker::open(empty.config);
  ASSERT_TRUE(maker->unwrap(keys, backup_key()));
  const auto after = by_label(*maker);
  ASSERT_EQ(after.size(), 2U);
  for (const auto& [label, key] : after) {
    EXPECT_THAT(key.faults, IsEmpty()) << label;
    EXPECT_TRUE(key.on_token && key.private_object && key.sensitive) << label;
    EXPECT_FALSE(key.extractable) << label;
    EXPECT_NE(key.made_on_token, true) << label << ": it shows that it was restored";
    EXPECT_EQ(key.kcv, before.at(label).kcv) << label;
    EXPECT_EQ(key.uses, before.at(label).uses) << label;
  }
  EXPECT_THAT(after.at("pan-enc/1").uses, ElementsAre("encrypt", "decrypt"));
  const auto again = maker->wrap(kSymmetric, backup_key());
  ASSERT_FALSE(again) << "a restored key never leaves the token again";
  EXPECT_EQ(again.error().code, Code::kNotAllowed);
}

TEST_P(KeyBackup, WrappingLeavesNothingBehind) {
  const auto maker = KeyMaker::open(token.config);
  const auto before = by_label(*maker);
  const auto first = maker->wrap(kSymmetric, backup_key());
  const auto second = maker->wrap(kSymmetric, backup_key());
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->front().bytes, second->front().bytes) << "RFC 3394 is deterministic";
  EXPECT_EQ(first->front().bytes.size(), kWrappedBytes);
  EXPECT_EQ(first->front().label, "pan-enc/1");
  EXPECT_EQ(by_label(*maker).size(), before.size());
}

TEST_P(KeyBackup, AnotherBackupKeyOrADamagedBackupRestoresNothing) {
  const auto keys = wrapped();
  const auto maker = KeyMaker::open(empty.config);
  std::vector<WrappedKey> damaged = keys;
  damaged[1].bytes[17] ^= 1;
  std::vector<WrappedKey> swapped = keys;  // another key of the same kind under this label
  swapped[0].kcv = "0000000000";
  std::vector<WrappedKey> cut = keys;
  cut[1].bytes.pop_back();
  const struct {
    const char* name;
    const std::vector<WrappedKey>& keys;
    std::uint8_t first;
  } cases[] = {{"another backup key", keys, 8},
               {"a flipped bit", damaged, 7},
               {"another check value", swapped, 7},
               {"a byte short", cut, 7}};
  for (const auto& one : cases) {
    const auto back = maker->unwrap(one.keys, backup_key(one.first));
    ASSERT_FALSE(back) << one.name;
    EXPECT_EQ(back.error().code, Code::kRecordDamaged) << one.name;
    EXPECT_THAT(by_label(*maker), IsEmpty()) << one.name << ": all or none";
  }
}

TEST_P(KeyBackup, RefusesWhatIsNoBackup) {
  const auto keys = wrapped();
  const auto maker = KeyMaker::open(empty.config);
  const auto refused = [&](std::vector<WrappedKey> what, base::SecretBuffer key) {
    const auto back = maker->unwrap(what, std::move(key));
    return back ? Code::kInternal : back.error().code;
  };
  auto signing = keys;
  signing[0].label = "seal-sign/1";
  auto stranger = keys;
  stranger[0].label = "another key";
  auto kind = keys;
  kind[0].kind = "HMAC-SHA-256";
  EXPECT_EQ(refused(signing, backup_key()), Code::kInvalidArgument);
  EXPECT_EQ(refused(stranger, backup_key()), Code::kInvalidArgument);
  EXPECT_EQ(refused(kind, backup_key()), Code::kInvalidArgument);
  EXPECT_EQ(refused(keys, base::SecretBuffer(16, 1)), Code::kInvalidArgument);
  EXPECT_THAT(by_label(*maker), IsEmpty());
  ASSERT_TRUE(maker->unwrap(keys, backup_key()));
  EXPECT_EQ(refused(keys, backup_key()), Code::kAlreadyExists);
  EXPECT_EQ(by_label(*maker).size(), 2U) << "what was there stays";
}

TEST_P(KeyBackup, SigningKeysAndUnextractableKeysDoNotLeave) {
  const auto maker = KeyMaker::open(token.config);
  const auto refused = [&](KeyRef key) {
    const auto out = maker->wrap(std::vector<KeyRef>{key}, backup_key());
    return out ? Code::kInternal : out.error().code;
  };
  EXPECT_EQ(refused({KeyPurpose::kAuditSign, 1}), Code::kNotAllowed);
  EXPECT_EQ(refused({KeyPurpose::kSealSign, 1}), Code::kNotAllowed);
  EXPECT_EQ(refused({KeyPurpose::kPanEnc, 9}), Code::kKeyMissing);
  ASSERT_TRUE(maker->make({KeyPurpose::kPanEnc, 2}, {.extractable = false}));
  EXPECT_EQ(refused({KeyPurpose::kPanEnc, 2}), Code::kNotAllowed);
}

TEST_P(KeyBackup, ADestroyedKeyIsGoneAndTheOthersStay) {
  {
    const auto maker = KeyMaker::open(token.config);
    ASSERT_TRUE(maker->make({KeyPurpose::kSealSign, 2}));
    for (const KeyRef key : {KeyRef{KeyPurpose::kPanEnc, 1}, {KeyPurpose::kSealSign, 1}}) {
      EXPECT_TRUE(maker->destroy(key));
      const auto again = maker->destroy(key);
      ASSERT_FALSE(again);
      EXPECT_EQ(again.error().code, Code::kKeyMissing);
      EXPECT_FALSE(maker->public_key(key)) << "its public half too";
    }
  }
  const auto left = by_label(*KeyMaker::open(token.config));
  EXPECT_EQ(left.size(), 3U);
  EXPECT_TRUE(left.contains("pan-index/1") && left.contains("audit-sign/1") &&
              left.contains("seal-sign/2"));
}

INSTANTIATE_TEST_SUITE_P(Modules, KeyBackup, ::testing::Values(Kind::kSoftHsm, Kind::kNss),
                         [](const auto& tested) {
                           return std::string(tested.param == Kind::kNss ? "Nss" : "SoftHsm");
                         });

TEST(KeyBackupSuite2, SecondKeysTravelWithTheirFirst) {
  TestToken::Options options = with_keys({KeyPurpose::kPanEnc});
  options.cbc_hmac = true;
  const TestToken token(Kind::kSoftHsm, options);
  options.purposes = {};
  const TestToken other(Kind::kSoftHsm, options);
  const std::vector<KeyRef> keys = {{KeyPurpose::kPanEnc, 1}};
  const auto wrapped = KeyMaker::open(token.config)->wrap(keys, backup_key());
  ASSERT_TRUE(wrapped);
  ASSERT_EQ(wrapped->size(), 2U);
  EXPECT_EQ((*wrapped)[1].label, "pan-enc-mac/1");
  core::Sealed sealed;
  {
    const auto crypto = TokenCrypto::open(token.config);
    sealed = *crypto->encrypt(keys[0], base::as_bytes("a card"), {});
  }
  ASSERT_TRUE(KeyMaker::open(other.config)->unwrap(*wrapped, backup_key()));
  {
    const auto crypto = TokenCrypto::open(other.config);
    EXPECT_TRUE(crypto->decrypt(keys[0], sealed, {}));
  }
  const auto maker = KeyMaker::open(other.config);
  ASSERT_TRUE(maker->destroy(keys[0]));
  EXPECT_THAT(by_label(*maker), IsEmpty()) << "both of them";
}

}  // namespace
}  // namespace cardvault::hsm::testing
