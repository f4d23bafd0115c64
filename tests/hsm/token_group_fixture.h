// A group of two tokens that a test takes away, spoils and puts load on.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "hsm/error.h"
#include "hsm/token_group.h"
#include "tests/hsm/second_token.h"
#include "tests/hsm/shim.h"

namespace cardvault::hsm::testing {

inline constexpr core::KeyRef kPanKey{core::KeyPurpose::kPanEnc, 1};
inline constexpr core::KeyRef kIndexKey{core::KeyPurpose::kPanIndex, 1};
inline constexpr core::KeyRef kSealKey{core::KeyPurpose::kSealSign, 1};
inline const auto kText = base::as_bytes("4111111111111111");

inline TestToken::Options options_with(std::vector<core::KeyPurpose> purposes) {
  static_cast<void>(shim());  // names the module behind it before that is loaded
  TestToken::Options options;
  options.module = shim_path();
  options.pin = "the same PIN for all of them";
  options.purposes = std::move(purposes);
  return options;
}

inline TestToken::Options four_keys() {
  return options_with({core::KeyPurpose::kPanEnc, core::KeyPurpose::kPanIndex,
                       core::KeyPurpose::kIdEnc, core::KeyPurpose::kSealSign});
}

inline bool holds_soon(const std::function<bool()>& what) {
  for (int i = 0; i < 6000; ++i) {
    if (what()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

class TokenGroupTest : public ::testing::Test {
 protected:
  void SetUp() override { shim().reset(); }
  void TearDown() override {
    group_.reset();
    shim().reset();
  }

  TokenGroup& open(const std::vector<TokenConfig>& tokens) {
    group_ = TokenGroup::open(
        tokens, {.on_change =
                     [this](std::size_t token, const HsmEvent& event, HsmState together) {
                       const std::lock_guard lock(mutex_);
                       events_.emplace_back(token, event.state);
                       together_.push_back(together);
                     },
                 .on_stuck = [this](std::size_t, std::chrono::milliseconds) { ++stuck_; },
                 .expected_kcvs =
                     [this] {
                       const std::lock_guard lock(mutex_);
                       return expected_;
                     }});
    // A busy machine may need longer than the group waits.
    for (std::size_t i = 0; i < tokens.size() && tokens.size() > 1; ++i) {
      EXPECT_TRUE(group_->token(i).settled(std::chrono::steady_clock::now() +
                                           std::chrono::milliseconds(60'000)));
    }
    return *group_;
  }
  // From here on the register has what the first token has.
  void record() {
    std::map<core::KeyRef, std::string> kcvs;
    for (const core::KeyRef& key : group_->keys()) kcvs[key] = group_->kcv(key);
    const std::lock_guard lock(mutex_);
    expected_ = std::move(kcvs);
  }
  bool reaches(std::size_t token, HsmState state) {
    return testing::reaches(group_->token(token), state);
  }
  // A change is reported after it holds.
  bool reported(std::size_t count) {
    return holds_soon([&] { return events().size() >= count; });
  }
  std::vector<std::pair<std::size_t, HsmState>> events() {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  long times_together(HsmState state) {
    const std::lock_guard lock(mutex_);
    return std::ranges::count(together_, state);
  }
  // As of the last report.
  HsmState together() {
    const std::lock_guard lock(mutex_);
    return together_.back();
  }
  bool works() {
    const auto sealed = group_->encrypt(kPanKey, kText, kText);
    return sealed && group_->decrypt(kPanKey, *sealed, kText) && group_->mac(kIndexKey, kText);
  }

  static constexpr auto kReady = HsmState::kReady;
  static constexpr auto kAway = HsmState::kUnavailable;
  const TestToken first_{Kind::kSoftHsm, four_keys()};
  const ClonedToken second_{first_};
  std::mutex mutex_;
  std::vector<std::pair<std::size_t, HsmState>> events_;
  std::vector<HsmState> together_;  // at each of these
  std::map<core::KeyRef, std::string> expected_;
  std::atomic<int> stuck_ = 0;
  std::unique_ptr<TokenGroup> group_;
};

// Takes a token's folder away until it is told to put it back.
class Away {
 public:
  explicit Away(std::filesystem::path dir) : dir_(std::move(dir)) {
    std::filesystem::rename(dir_, away());
  }
  ~Away() { put_back(); }
  Away(const Away&) = delete;
  Away& operator=(const Away&) = delete;
  void put_back() {
    if (!std::exchange(back_, true)) std::filesystem::rename(away(), dir_);
  }

 private:
  [[nodiscard]] std::filesystem::path away() const { return dir_.string() + ".away"; }
  std::filesystem::path dir_;
  bool back_ = false;
};

class Load {
 public:
  explicit Load(TokenGroup& group, bool signs = true) {
    sealed_ = *group.encrypt(kPanKey, kText, kText);
    mac_ = *group.mac(kIndexKey, kText);
    for (int i = 0; i < 3; ++i) {
      threads_.emplace_back([this, &group, signs](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          const auto opened = group.decrypt(kPanKey, sealed_, kText);
          expect(opened);
          wrong += opened && base::as_text(*opened) != base::as_text(kText) ? 1 : 0;
          const auto mac = group.mac(kIndexKey, kText);
          expect(mac);
          wrong += mac && *mac != mac_ ? 1 : 0;
          expect(group.encrypt(kPanKey, kText, kText));
          if (signs) expect(group.sign(kSealKey, kText));
          ++rounds;
        }
      });
    }
  }
  void end() { threads_.clear(); }
  std::atomic<int> wrong = 0, rounds = 0;

 private:
  void expect(const auto& result) {
    if (result) return;
    ++wrong;
    const base::Error& error = result.error();
    ADD_FAILURE() << base::code_name(error.code) << " in " << error.operation << " "
                  << ckr_name(static_cast<unsigned long>(error.number));
  }
  core::Sealed sealed_;
  core::Mac mac_{};
  std::vector<std::jthread> threads_;
};

}  // namespace cardvault::hsm::testing
