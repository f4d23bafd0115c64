// The traps of DESIGN 4.2 on the real SoftHSM.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "hsm/key_ring.h"
#include "hsm/module.h"
#include "tests/hsm/second_token.h"
#include "tests/hsm/test_token.h"

namespace cardvault::hsm::testing {
namespace {

namespace fs = std::filesystem;
using base::Code;
using core::KeyPurpose;
using core::KeyRef;

constexpr KeyRef kPanKey{KeyPurpose::kPanEnc, 1};
constexpr KeyRef kIndexKey{KeyPurpose::kPanIndex, 1};
const auto kText = base::as_bytes("4111111111111111");

TestToken::Options few_keys() {
  TestToken::Options options;
  options.purposes = {KeyPurpose::kPanEnc, KeyPurpose::kPanIndex};
  return options;
}

TEST(HsmTraps, TokenDirectoryRemovedAndPutBack) {
  const TestToken token(Kind::kSoftHsm, few_keys());
  const auto crypto = TokenCrypto::open(token.config);
  const auto sealed = crypto->encrypt(kPanKey, kText, kText);
  ASSERT_TRUE(sealed);
  const fs::path away = token.token_dir().string() + ".away";
  for (int round = 0; round < 2; ++round) {
    fs::rename(token.token_dir(), away);
    ASSERT_TRUE(reaches(*crypto, HsmState::kUnavailable)) << "session copies hide nothing";
    const auto refused = crypto->decrypt(kPanKey, *sealed, kText);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kHsmUnavailable);
    fs::rename(away, token.token_dir());
    ASSERT_TRUE(reaches(*crypto, HsmState::kReady));
    EXPECT_TRUE(crypto->decrypt(kPanKey, *sealed, kText));
    EXPECT_TRUE(crypto->mac(kIndexKey, kText));
  }
}

TEST(HsmTraps, TokenMissingAtStartIsAwaited) {
  const TestToken token(Kind::kSoftHsm, few_keys());
  const fs::path away = token.token_dir().string() + ".away";
  fs::rename(token.token_dir(), away);
  const auto crypto = TokenCrypto::open(token.config);
  EXPECT_EQ(crypto->state(), HsmState::kUnavailable);
  fs::rename(away, token.token_dir());
  EXPECT_TRUE(reaches(*crypto, HsmState::kReady));
}

TEST(HsmTraps, KeysAddedLaterAreSeenAfterAdopt) {
  const TestToken token(Kind::kSoftHsm, few_keys());
  const auto crypto = TokenCrypto::open(token.config);
  const auto sealed = crypto->encrypt(kPanKey, kText, kText);
  ASSERT_TRUE(sealed);
  EXPECT_EQ(crypto->newest(KeyPurpose::kPanEnc), 1U);
  const fs::path copy = copy_with_key(token, "pan-enc/2", "copy");
  fs::rename(token.token_dir(), token.token_dir().string() + ".old");
  fs::rename(copy, token.token_dir());
  ASSERT_TRUE(crypto->adopt());
  EXPECT_EQ(crypto->newest(KeyPurpose::kPanEnc), 2U);
  EXPECT_TRUE(crypto->decrypt(kPanKey, *sealed, kText));
  EXPECT_TRUE(crypto->encrypt({KeyPurpose::kPanEnc, 2}, kText, kText));
}

TEST(HsmTraps, AKeyThatWasTakenBackMayBeMadeAnew) {
  const TestToken token(Kind::kSoftHsm, few_keys());
  std::map<KeyRef, std::string> expected = {{kPanKey, ""}, {kIndexKey, ""}};  // the register
  const auto crypto = TokenCrypto::open(
      token.config, {.on_change = {}, .on_stuck = {}, .expected_kcvs = [&] { return expected; }});
  const fs::path before = token.token_dir().string() + ".before";
  const auto exchange = [&](const fs::path& with, const fs::path& kept) {
    fs::rename(token.token_dir(), kept);
    fs::rename(with, token.token_dir());
    return crypto->adopt();
  };
  const fs::path one = copy_with_key(token, "pan-enc/2", "one");
  const fs::path another = copy_with_key(token, "pan-enc/2", "another");
  ASSERT_TRUE(exchange(one, before));
  ASSERT_TRUE(exchange(before, one)) << "taken back";
  ASSERT_TRUE(exchange(another, before)) << "the register never had the one before";
  EXPECT_EQ(crypto->newest(KeyPurpose::kPanEnc), 2U);
  expected[{KeyPurpose::kPanEnc, 2}] = "";
  EXPECT_FALSE(exchange(one, another)) << "now it has this one";
}

TEST(HsmTraps, AdoptIsAPauseNotAnError) {
  const TestToken token(Kind::kSoftHsm, few_keys());
  const auto crypto = TokenCrypto::open(token.config);
  std::atomic<bool> stop = false;
  std::atomic<int> failures = 0;
  std::vector<std::jthread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      while (!stop) failures += crypto->mac(kIndexKey, kText) ? 0 : 1;
    });
  }
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(crypto->adopt());
  stop = true;
  callers.clear();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(crypto->state(), HsmState::kReady);
}

TEST(HsmTraps, AnotherTokenUnderTheSameNameIsNotAdopted) {
  TestToken::Options options = few_keys();
  options.pin = "the same PIN for both";
  const TestToken token(Kind::kSoftHsm, options);
  const TestToken other(Kind::kSoftHsm, options);
  const auto crypto = TokenCrypto::open(token.config);
  const fs::path away = token.token_dir().string() + ".away";
  fs::rename(token.token_dir(), away);
  ASSERT_TRUE(reaches(*crypto, HsmState::kUnavailable));
  fs::copy(other.token_dir(), token.token_dir(), fs::copy_options::recursive);
  // Of a folder that isn't whole yet the module says something else.
  const auto tested = [&] {
    return std::string_view(crypto->cause().operation).starts_with("self-test");
  };
  for (int i = 0; i < 6000 && !tested(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(tested()) << crypto->cause().operation;
  std::this_thread::sleep_for(std::chrono::milliseconds(700));  // a few tries more
  EXPECT_EQ(crypto->state(), HsmState::kUnavailable) << "its keys are others";
  fs::remove_all(token.token_dir());
  fs::rename(away, token.token_dir());
  EXPECT_TRUE(reaches(*crypto, HsmState::kReady));
}

TEST(HsmTraps, WrongPinIsAState) {
  const TestToken token(Kind::kSoftHsm, few_keys());
  write_file(token.pin_file(), random_pin().expose());
  const auto crypto = TokenCrypto::open(token.config);
  EXPECT_EQ(crypto->state(), HsmState::kPinRefused);
  const auto refused = crypto->mac(kIndexKey, kText);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kHsmPinRefused);
}

TEST(HsmTraps, CopiesAreNotTakenForTokenKeys) {
  const TestToken token(Kind::kSoftHsm, few_keys());
  Module module(token.config);
  ASSERT_TRUE(module.initialize());
  const TokenUri uri = parse_token_uri(token.config.token_uri);
  const auto slot = module.find_token(uri);
  ASSERT_TRUE(slot);
  auto session = Session::open(module, *slot, false);
  ASSERT_TRUE(session);
  const auto pin = read_pin(uri);
  const std::string text(pin.expose());
  ASSERT_EQ(module.fn()->C_Login(session->handle(), CKU_USER,
                                 reinterpret_cast<CK_UTF8CHAR_PTR>(const_cast<char*>(text.data())),
                                 text.size()),
            CKR_OK);
  const auto first = KeyRing::find(module.fn(), session->handle(), true);
  ASSERT_TRUE(first);
  EXPECT_NE(first->get(kPanKey)->working, first->get(kPanKey)->on_token);
  const auto second = KeyRing::find(module.fn(), session->handle(), true);
  ASSERT_TRUE(second) << "the copies of the first would be labels that two keys have";
  EXPECT_EQ(second->of(KeyPurpose::kPanEnc).size(), 1U);
}

// 0, or what did not work.
int use_token(const TokenConfig& config) {
  try {
    const auto crypto = TokenCrypto::open(config);
    if (crypto->state() != HsmState::kReady) return 11;
    const auto sealed = crypto->encrypt(kPanKey, kText, kText);
    if (!sealed || !crypto->decrypt(kPanKey, *sealed, kText)) return 12;
    if (!crypto->adopt() || !crypto->mac(kIndexKey, kText)) return 13;
    return crypto->description().manufacturer == "SoftHSM project" ? 0 : 14;
  } catch (const base::StartupError&) {
    return 15;
  }
}

// Runs as nobody when we are root: permission bits do not bind root.
TEST(HsmTraps, WorksOnAReadOnlyTokenDirectory) {
  const TestToken token(Kind::kSoftHsm, few_keys());
  const fs::path root = token.token_dir().parent_path();
  fs::permissions(root, fs::perms(0755));
  fs::permissions(token.config.softhsm_conf, fs::perms(0644));
  if (::getuid() == 0) {
    ASSERT_EQ(::chown(token.pin_file().c_str(), 65534, 65534), 0);
  }
  for (const auto& entry : fs::recursive_directory_iterator(token.token_dir())) {
    fs::permissions(entry, fs::perms(entry.is_directory() ? 0555 : 0444));
  }
  fs::permissions(token.token_dir(), fs::perms(0555));
  const auto before = fs::last_write_time(token.token_dir());
  const pid_t child = ::fork();  // no module is initialised here now
  if (child == 0) {
    if (::getuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(10);
    ::_exit(use_token(token.config));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << "exit code " << WEXITSTATUS(status);
  EXPECT_EQ(fs::last_write_time(token.token_dir()), before);
}

void exchange(const fs::path& a, const fs::path& b) {
  ASSERT_EQ(::syscall(SYS_renameat2, AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE), 0);
}

TEST(HsmTraps, ASessionCopyOutlivesItsKeyUntilTheTokenIsAdopted) {
  const TestToken token(Kind::kSoftHsm, few_keys());
  const fs::path changed = token.token_dir().string() + ".changed";
  fs::copy(token.token_dir(), changed, fs::copy_options::recursive);
  {
    TokenConfig config = token.config;
    config.softhsm_conf = changed.string() + ".conf";
    write_file(config.softhsm_conf, softhsm_conf_text(changed));
    ASSERT_TRUE(KeyMaker::open(config)->destroy(kPanKey));
  }
  TokenConfig config = token.config;
  config.probe_interval_ms = 0;  // it would notice
  const auto crypto = TokenCrypto::open(config);
  ASSERT_TRUE(crypto->encrypt(kPanKey, kText, kText));
  exchange(changed, token.token_dir());
  EXPECT_TRUE(crypto->encrypt(kPanKey, kText, kText)) << "the trap: the key is destroyed";
  EXPECT_TRUE(crypto->adopt());
  const auto gone = crypto->encrypt(kPanKey, kText, kText);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::kKeyMissing);
  EXPECT_TRUE(crypto->mac(kIndexKey, kText)) << "the others work";
}

TEST(HsmTraps, AKeyLeftOutIsDroppedThoughTheTokenHasIt) {
  const TestToken token(Kind::kSoftHsm, few_keys());
  const auto crypto = TokenCrypto::open(token.config);
  const auto sealed = crypto->encrypt(kPanKey, kText, kText);
  ASSERT_TRUE(sealed);
  crypto->leave_out({kPanKey});
  EXPECT_TRUE(crypto->decrypt(kPanKey, *sealed, kText)) << "from the next login on";
  ASSERT_TRUE(crypto->adopt());
  EXPECT_FALSE(crypto->decrypt(kPanKey, *sealed, kText));
  EXPECT_THAT(crypto->keys(), ::testing::ElementsAre(kIndexKey));
  EXPECT_EQ(crypto->kcv(kPanKey), "");
  crypto->leave_out({});
  ASSERT_TRUE(crypto->adopt());
  EXPECT_TRUE(crypto->decrypt(kPanKey, *sealed, kText));
}

TEST(HsmTraps, CheckValuesAreTheSameForToolAndDaemon) {
  const TestToken token(Kind::kSoftHsm);
  std::map<std::string, std::string> made;
  const auto reports = KeyMaker::open(token.config)->list();
  ASSERT_TRUE(reports);
  for (const KeyReport& report : *reports) made[report.label] = report.kcv;
  const auto crypto = TokenCrypto::open(token.config);
  ASSERT_EQ(crypto->keys().size(), core::kKeyPurposes);
  for (const KeyRef& key : crypto->keys()) {
    EXPECT_EQ(crypto->kcv(key), made.at(core::key_label(key))) << core::key_label(key);
    EXPECT_EQ(crypto->kcv(key).size(), 10U);
  }
}

}  // namespace
}  // namespace cardvault::hsm::testing
