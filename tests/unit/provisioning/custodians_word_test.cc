#include "provisioning/auditor/custodians_word.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_crypto.h"
#include "tests/unit/custody/custody_fixture.h"
#include "vault/custody/action.h"
#include "vault/custody/digest.h"

namespace cardvault::auditor {
namespace {

using custody::testing::spill;
using custody::testing::TempDir;
using custody::testing::TestKey;
using testing::HasSubstr;

constexpr std::int64_t kNow_ms = 1'795'000'000'000;
constexpr std::int64_t kHour_ms = 3'600'000;
constexpr const char* kVault = "0123456789abcdef";

audit::VerifierKey new_log_key() {
  fakes::FakeCrypto crypto;
  return {"vault.example/log", crypto.public_key({core::KeyPurpose::kAuditSign, 1}).value()};
}

class CustodiansWord : public testing::Test {
 protected:
  CustodiansWord() {
    last.size = 300;
    last.root.fill(7);
    write("register", {&anna, &bolat, &carol});
  }
  // A register of these, who all sign it, by two of whom an act is approved.
  void write(const std::string& name, const std::vector<const TestKey*>& people) {
    custody::CustodianSet set{
        .vault = kVault, .needed = 2, .custodians = {}, .audit_key = vault.key(), .signatures = {}};
    const std::vector<std::string> names = {"anna", "bolat", "carol"};
    for (std::size_t i = 0; i < people.size(); ++i) {
      set.custodians.push_back({names[i], people[i]->key()});
    }
    const std::string message = custody::signed_message("custodians", custody::set_body(set));
    set.signatures.push_back({"audit-sign", vault.sign(message)});
    for (std::size_t i = 0; i < people.size(); ++i) {
      set.signatures.push_back({names[i], people[i]->sign(message)});
    }
    spill(folder / name, custody::encode(set));
  }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> arguments() const {
    return {{"checkpoint", "300 " + custody::hex(last.root)},
            {"key", "audit-sign/2"},
            {"lost", "audit-sign/1"},
            {"lost_vkey", lost.text()},
            {"vkey", next.text()}};
  }
  static std::string approve(const custody::Action& action, const TestKey& by) {
    const auto digest = custody::action_digest(action);
    return custody::encode(
        custody::Approval{digest, by.text(), by.sign(custody::approval_message(digest))});
  }
  [[nodiscard]] std::string judge(const custody::Action& action,
                                  const std::vector<const TestKey*>& by,
                                  const std::vector<std::string>& registers) const {
    audit::Replacement said{lost, next, "", custody::encode(action), {}, kNow_ms};
    for (const TestKey* one : by) said.approvals.push_back(approve(action, *one));
    return trust_custodians(registers)(said, last);
  }
  [[nodiscard]] custody::Action action() const {
    return custody::make_action(kVault, "key.replace", arguments(), kNow_ms + kHour_ms);
  }

  TempDir folder;
  TestKey anna, bolat, carol, stranger, vault;
  audit::VerifierKey lost = new_log_key(), next = new_log_key();
  audit::Checkpoint last;
};

TEST_F(CustodiansWord, AQuorumOfARegisterThatIsTrustedIsBelieved) {
  EXPECT_EQ(judge(action(), {&anna, &carol}, {folder / "register"}), "");
  // Where they changed since, each time's register is named.
  write("later", {&stranger, &bolat, &carol});
  EXPECT_EQ(judge(action(), {&anna, &carol}, {folder / "later", folder / "register"}), "");
  EXPECT_THAT(judge(action(), {&anna, &carol}, {folder / "later"}),
              HasSubstr("no registered custodian's key"));
}

TEST_F(CustodiansWord, WithoutARegisterNobodyIs) {
  EXPECT_THAT(judge(action(), {&anna, &carol}, {}), HasSubstr("--custodians"));
}

TEST_F(CustodiansWord, WhatIsForgedIsRefusedAndNamed) {
  const std::vector<std::string> kTrusted = {folder / "register"};
  EXPECT_THAT(judge(action(), {&anna}, kTrusted), HasSubstr("1 of 2 custodians needed"));
  EXPECT_THAT(judge(action(), {&anna, &anna}, kTrusted), HasSubstr("approved it twice"));
  EXPECT_THAT(judge(action(), {&anna, &stranger}, kTrusted),
              HasSubstr("no registered custodian's key"));
  const auto changed = [&](const std::string& name, const std::string& value) {
    auto other = arguments();
    for (auto& one : other) {
      if (one.first == name) one.second = value;
    }
    return custody::make_action(kVault, "key.replace", other, kNow_ms + kHour_ms);
  };
  for (const auto& [name, value] : {std::pair<std::string, std::string>{"checkpoint", "299 00"},
                                    {"vkey", new_log_key().text()},
                                    {"lost_vkey", next.text()}}) {
    EXPECT_THAT(judge(changed(name, value), {&anna, &bolat}, kTrusted), HasSubstr("another act"))
        << name;
  }
  const auto made = [&](const char* of, const char* verb, std::int64_t expires_ms) {
    return judge(custody::make_action(of, verb, arguments(), expires_ms), {&anna, &bolat},
                 kTrusted);
  };
  EXPECT_THAT(made("fedcba9876543210", "key.replace", kNow_ms + kHour_ms),
              HasSubstr("for the vault"));
  EXPECT_THAT(made(kVault, "backup.restore", kNow_ms + kHour_ms), HasSubstr("another act"));
  EXPECT_THAT(made(kVault, "key.replace", kNow_ms), HasSubstr("expired"));
  EXPECT_THAT(made(kVault, "key.replace", kNow_ms + custody::kMaxActionLife_ms + 1),
              HasSubstr("more than 7 days"));
}

TEST_F(CustodiansWord, ARegisterThatWasChangedIsNone) {
  std::string text = custody::testing::slurp(folder / "register");
  text.replace(text.find(carol.text()), carol.text().size(), stranger.text());
  spill(folder / "changed", text);
  EXPECT_THAT(judge(action(), {&anna, &bolat}, {folder / "changed"}), HasSubstr("do not hold"));
}

}  // namespace
}  // namespace cardvault::auditor
