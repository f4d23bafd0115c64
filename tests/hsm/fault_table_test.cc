// Every CK_RV of PKCS#11 in every call that the daemon makes: as a passing fault, as one that
// lasts, while it logs in again, and at the start. CARDVAULT_LONG=1 runs the whole product, else a
// sample; CARDVAULT_SEED=N chooses another one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "hsm/error.h"
#include "hsm/pkcs11.h"
#include "tests/hsm/all_ckr.h"
#include "tests/hsm/shim.h"
#include "tests/hsm/test_token.h"

namespace cardvault::hsm::testing {
namespace {

using base::Code;
using core::KeyPurpose;
using core::KeyRef;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::ElementsAre;

constexpr KeyRef kPanKey{KeyPurpose::kPanEnc, 1};
constexpr KeyRef kIndexKey{KeyPurpose::kPanIndex, 1};
constexpr KeyRef kSealKey{KeyPurpose::kSealSign, 1};
constexpr unsigned kSampled = 37;  // one in so many
constexpr auto kPatience = milliseconds(60'000);

TestToken& token() {
  static TestToken made(Kind::kSoftHsm, [] {
    static_cast<void>(shim());  // names the module behind it before that is loaded
    TestToken::Options options;
    options.module = shim_path();
    return options;
  }());
  return made;
}

bool in_sample(std::uint32_t call, CK_RV rv) {
  static const bool all = std::getenv("CARDVAULT_LONG") != nullptr;
  static const char* const text = std::getenv("CARDVAULT_SEED");
  static const std::uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
  std::uint64_t mixed = (seed * 1'000'003 + call) * 1'000'003 + rv;
  mixed ^= mixed >> 29;
  mixed *= 0xbf58476d1ce4e5b9;
  return all || (mixed >> 33) % kSampled == 0;
}

// What the daemon does with the token all day, and the calls it takes.
struct Work {
  std::string_view call;
  std::function<base::Error(TokenCrypto&)> run;  // kInternal and no operation: it went well
};

class FaultTable : public ::testing::Test {
 protected:
  void SetUp() override {
    config_ = token().config;
    config_.probe_interval_ms = 0;
    config_.retry_ms = 2;
    shim().reset();
    crypto_ = open();
    ASSERT_EQ(crypto_->state(), HsmState::kReady);
    for (const KeyRef& key : crypto_->keys()) kcvs_[key] = crypto_->kcv(key);
    auto sealed = crypto_->encrypt(kPanKey, text_, text_);
    ASSERT_TRUE(sealed);
    sealed_ = std::move(*sealed);
    auto mac = crypto_->mac(kIndexKey, text_);
    ASSERT_TRUE(mac);
    mac_ = *mac;
  }
  void TearDown() override {
    shim().reset();
    if (slowest_.count() != 0) {
      std::printf("%u cases, works again after %ld ms at the most\n", cases_,
                  static_cast<long>(slowest_.count()));
    }
  }

  std::unique_ptr<TokenCrypto> open() {
    return TokenCrypto::open(config_, {.on_change =
                                           [this](const HsmEvent& event) {
                                             const std::lock_guard lock(mutex_);
                                             events_.push_back(event.state);
                                           },
                                       .on_stuck = {},
                                       .expected_kcvs =
                                           [this] {
                                             const std::lock_guard lock(mutex_);
                                             return kcvs_;
                                           }});
  }
  void queue(std::string_view call, FaultKind kind, CK_RV value, std::uint32_t times = 1,
             std::uint32_t skip = 0) {
    Fault fault;
    fault.call = call_index(call);
    fault.kind = kind;
    fault.value = value;
    fault.times = times;
    fault.skip = skip;
    shim().faults.clear();
    shim().faults.add(fault);
  }
  std::vector<HsmState> events() {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  void forget_events() {
    const std::lock_guard lock(mutex_);
    events_.clear();
  }
  // Waits until the last change was to `state`, which is reported after it holds.
  bool reported(HsmState state) {
    const auto begun = steady_clock::now();
    while (crypto_->state() != state || events().empty() || events().back() != state) {
      if (steady_clock::now() - begun > kPatience) return false;
      std::this_thread::sleep_for(milliseconds(1));
    }
    slowest_ =
        std::max(slowest_, std::chrono::duration_cast<milliseconds>(steady_clock::now() - begun));
    return true;
  }
  // Every kind of work is done, and done right.
  void expect_all_well() {
    EXPECT_EQ(crypto_->state(), HsmState::kReady);
    EXPECT_EQ(crypto_->keys().size(), kcvs_.size());
    const auto mac = crypto_->mac(kIndexKey, text_);
    EXPECT_TRUE(mac && *mac == mac_);
    const auto opened = crypto_->decrypt(kPanKey, sealed_, text_);
    EXPECT_TRUE(opened && base::as_text(*opened) == base::as_text(text_));
    const auto sealed = crypto_->encrypt(kPanKey, text_, text_);
    EXPECT_TRUE(sealed && crypto_->decrypt(kPanKey, *sealed, text_));
    EXPECT_TRUE(crypto_->sign(kSealKey, text_));
  }
  // In each call in turn, with every CK_RV of the sample, in the words of the test's output.
  template <class Case>
  void each(std::string_view call, Case run) {
    for (const CK_RV rv : kAllCkr) {
      if (!in_sample(call_index(call), rv)) continue;
      char name[64];
      std::snprintf(name, sizeof name, "%s 0x%lx in ", ckr_name(rv), rv);
      SCOPED_TRACE(name + std::string(call));
      ++cases_;
      run(rv);
      if (HasFatalFailure()) return;
    }
  }
  static base::Error error_of(const auto& result) {
    return result ? base::Error{} : result.error();
  }
  std::vector<Work> works() {
    const auto mac = [this](TokenCrypto& crypto) { return error_of(crypto.mac(kIndexKey, text_)); };
    const auto encrypt = [this](TokenCrypto& crypto) {
      return error_of(crypto.encrypt(kPanKey, text_, text_));
    };
    const auto decrypt = [this](TokenCrypto& crypto) {
      return error_of(crypto.decrypt(kPanKey, sealed_, text_));
    };
    const auto sign = [this](TokenCrypto& crypto) {
      return error_of(crypto.sign(kSealKey, text_));
    };
    const auto random = [](TokenCrypto& crypto) {
      std::array<std::uint8_t, 16> bytes{};
      return error_of(crypto.random(bytes));
    };
    return {{"C_SignInit", mac},         {"C_Sign", mac},
            {"C_SignInit", sign},        {"C_Sign", sign},
            {"C_EncryptInit", encrypt},  {"C_Encrypt", encrypt},
            {"C_DecryptInit", decrypt},  {"C_Decrypt", decrypt},
            {"C_GenerateRandom", random}};
  }

  TokenConfig config_;
  std::mutex mutex_;
  std::vector<HsmState> events_;
  std::map<KeyRef, std::string> kcvs_;
  std::unique_ptr<TokenCrypto> crypto_;
  const std::span<const std::uint8_t> text_ = base::as_bytes("4111111111111111");
  core::Sealed sealed_;
  core::Mac mac_{};
  milliseconds slowest_{0};
  unsigned cases_ = 0;
};

TEST_F(FaultTable, APassingFaultOfACallIsNoOutageUnlessItSaysSo) {
  for (const Work& work : works()) {
    each(work.call, [&](CK_RV rv) {
      forget_events();
      queue(work.call, FaultKind::kAnswer, rv);
      const base::Error error = work.run(*crypto_);
      if (!ckr_is_loss(rv)) {
        EXPECT_STREQ(error.operation, "");
        EXPECT_TRUE(events().empty());
      } else {
        EXPECT_EQ(error.code, Code::kHsmUnavailable);
        EXPECT_EQ(error.number, static_cast<long>(rv));
        ASSERT_TRUE(reported(HsmState::kReady));
        EXPECT_THAT(events(), ElementsAre(HsmState::kUnavailable, HsmState::kReady));
      }
      expect_all_well();
    });
  }
}

TEST_F(FaultTable, AFaultThatLastsIsOneOutage) {
  for (const Work& work : works()) {
    each(work.call, [&](CK_RV rv) {
      forget_events();
      queue(work.call, FaultKind::kAnswer, rv, FaultQueue::kForever);
      const base::Error error = work.run(*crypto_);
      EXPECT_EQ(error.code, Code::kHsmUnavailable);
      EXPECT_EQ(error.number, static_cast<long>(rv));
      ASSERT_TRUE(reported(HsmState::kUnavailable));
      std::this_thread::sleep_for(milliseconds(config_.retry_ms * 3));
      EXPECT_EQ(work.run(*crypto_).code, Code::kHsmUnavailable);
      EXPECT_THAT(events(), ElementsAre(HsmState::kUnavailable));
      shim().faults.clear();
      ASSERT_TRUE(reported(HsmState::kReady));
      EXPECT_THAT(events(), ElementsAre(HsmState::kUnavailable, HsmState::kReady));
      expect_all_well();
    });
  }
}

TEST_F(FaultTable, AFaultDuringTheNextLoginOnlyDelaysIt) {
  for (const std::string_view call : kDaemonCalls) {
    each(call, [&](CK_RV rv) {
      forget_events();
      const auto logins = shim().faults.calls[call_index("C_Login")].load();
      queue(call, FaultKind::kAnswer, rv);
      shim().fail_once_with = CKR_DEVICE_REMOVED;  // behind the queue: a call that logs in again
      base::Error error = error_of(crypto_->mac(kIndexKey, text_));
      if (error.operation[0] == '\0') error = error_of(crypto_->mac(kIndexKey, text_));
      EXPECT_EQ(error.code, Code::kHsmUnavailable);
      if (call == "C_Login" && ckr_is_pin_refusal(rv)) {
        ASSERT_TRUE(reported(HsmState::kPinRefused));
        std::this_thread::sleep_for(milliseconds(config_.retry_ms * 10));
        EXPECT_EQ(shim().faults.calls[call_index("C_Login")], logins + 1) << "a second bad login";
        EXPECT_EQ(error_of(crypto_->mac(kIndexKey, text_)).code, Code::kHsmPinRefused);
        EXPECT_THAT(events(), ElementsAre(HsmState::kUnavailable, HsmState::kPinRefused));
        crypto_.reset();
        crypto_ = open();
      } else {
        ASSERT_TRUE(reported(HsmState::kReady));
        EXPECT_THAT(events(), ElementsAre(HsmState::kUnavailable, HsmState::kReady));
      }
      shim().faults.clear();
      expect_all_well();
    });
  }
}

TEST_F(FaultTable, AFaultAtTheStartIsSaidOrOutlasted) {
  for (const std::string_view call : kDaemonCalls) {
    each(call, [&](CK_RV rv) {
      crypto_.reset();
      forget_events();
      const auto logins = shim().faults.calls[call_index("C_Login")].load();
      queue(call, FaultKind::kAnswer, rv);
      try {
        crypto_ = open();
      } catch (const base::StartupError& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr("token cannot be used"));
        shim().faults.clear();
        crypto_ = open();  // as the supervisor does
      }
      // The daemon compares the keys with its registry, and is started again.
      if (crypto_->state() == HsmState::kReady && crypto_->keys().size() != kcvs_.size()) {
        crypto_.reset();
        crypto_ = open();
      }
      if (call == "C_Login" && ckr_is_pin_refusal(rv)) {
        EXPECT_EQ(crypto_->state(), HsmState::kPinRefused);
        std::this_thread::sleep_for(milliseconds(config_.retry_ms * 10));
        EXPECT_EQ(shim().faults.calls[call_index("C_Login")], logins + 1) << "a second bad login";
        crypto_.reset();
        crypto_ = open();
      }
      ASSERT_TRUE(reaches(*crypto_, HsmState::kReady));
      shim().faults.clear();
      expect_all_well();
    });
  }
}

TEST_F(FaultTable, AnswersOfTheWrongLengthAreNotTaken) {
  for (const Work& work : works()) {
    if (work.call.ends_with("Init") || work.call == "C_GenerateRandom") continue;
    SCOPED_TRACE(work.call);
    forget_events();
    queue(work.call, FaultKind::kShort, 0);
    EXPECT_STREQ(work.run(*crypto_).operation, "");
    EXPECT_TRUE(events().empty());
    queue(work.call, FaultKind::kShort, 0, FaultQueue::kForever);
    EXPECT_EQ(work.run(*crypto_).code, Code::kHsmUnavailable);
    ASSERT_TRUE(reported(HsmState::kUnavailable));
    shim().faults.clear();
    ASSERT_TRUE(reported(HsmState::kReady));
    expect_all_well();
  }
}

TEST_F(FaultTable, AWrongTagIsNeverOpened) {
  queue("C_Encrypt", FaultKind::kFlip, 0);
  const auto wrong = crypto_->encrypt(kPanKey, text_, text_);
  ASSERT_TRUE(wrong) << "no module call can tell";
  EXPECT_EQ(error_of(crypto_->decrypt(kPanKey, *wrong, text_)).code, Code::kRecordDamaged);
  expect_all_well();
}

// Whatever comes out wrong in whichever call of the login: not ready before it comes out right.
TEST_F(FaultTable, WrongAnswersDuringTheLoginAreNoticed) {
  for (const std::string_view call : {"C_Sign", "C_Encrypt", "C_Decrypt"}) {
    for (const FaultKind kind : {FaultKind::kFlip, FaultKind::kShort, FaultKind::kZeros}) {
      SCOPED_TRACE(std::string(call) + " " + std::to_string(static_cast<int>(kind)));
      forget_events();
      queue(call, kind, 0, FaultQueue::kForever);
      shim().fail_once_with = CKR_DEVICE_REMOVED;
      EXPECT_EQ(error_of(crypto_->encrypt(kPanKey, text_, text_)).code, Code::kHsmUnavailable);
      ASSERT_TRUE(reported(HsmState::kUnavailable));
      std::this_thread::sleep_for(milliseconds(60));
      EXPECT_EQ(crypto_->state(), HsmState::kUnavailable);
      shim().faults.clear();
      ASSERT_TRUE(reported(HsmState::kReady));
      EXPECT_THAT(events(), ElementsAre(HsmState::kUnavailable, HsmState::kReady));
      expect_all_well();
    }
  }
}

TEST_F(FaultTable, ATokenWithAnotherCheckValueOrWithoutAKeyDoesNotServe) {
  const auto right = kcvs_;
  auto wrong = right;
  wrong[kPanKey] = "0000000000";
  auto more = right;
  more[{KeyPurpose::kPanEnc, 7}] = "0000000000";
  for (const auto& expected : {wrong, more}) {
    forget_events();
    {
      const std::lock_guard lock(mutex_);
      kcvs_ = expected;
    }
    shim().fail_once_with = CKR_DEVICE_REMOVED;
    EXPECT_EQ(error_of(crypto_->mac(kIndexKey, text_)).code, Code::kHsmUnavailable);
    ASSERT_TRUE(reported(HsmState::kUnavailable));
    std::this_thread::sleep_for(milliseconds(60));
    EXPECT_EQ(error_of(crypto_->mac(kIndexKey, text_)).code, Code::kHsmUnavailable);
    {
      const std::lock_guard lock(mutex_);
      kcvs_ = right;
    }
    ASSERT_TRUE(reported(HsmState::kReady));
    expect_all_well();
  }
}

TEST_F(FaultTable, ALoginThatHangsIsReportedAlsoTheFirstOne) {
  crypto_.reset();
  config_.call_timeout_ms = 20;
  queue("C_Login", FaultKind::kDelay, 3'000'000);
  std::atomic<int> reports = 0;
  crypto_ = TokenCrypto::open(
      config_,
      {.on_change = {}, .on_stuck = [&](milliseconds) { ++reports; }, .expected_kcvs = {}});
  EXPECT_EQ(reports, 1);
}

}  // namespace
}  // namespace cardvault::hsm::testing
