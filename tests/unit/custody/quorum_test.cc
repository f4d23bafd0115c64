#include "vault/custody/quorum.h"

#include <gtest/gtest.h>

#include "tests/unit/custody/custody_fixture.h"
#include "vault/custody/lines.h"

namespace cardvault::custody {
namespace {

using testing::refusal;
using testing::TestKey;

constexpr std::int64_t kNow = 1'795'000'000'000;
constexpr std::int64_t kHour = 3'600'000;

struct Scene {
  std::vector<TestKey> keys{4};
  CustodianSet set;
  Action action = make_action("0123456789abcdef", "key.destroy",
                              {{"label", "pan-enc/1"}, {"delay", "24h"}}, kNow + kHour);
  Scene() {
    set.vault = "0123456789abcdef";
    set.needed = 2;
    set.custodians = {{"anna", keys[0].key()}, {"bolat", keys[1].key()}, {"carol", keys[2].key()}};
    set.audit_key = keys[3].key();
  }
  [[nodiscard]] Approval approve(std::size_t who, const Action& what) const {
    const Digest digest = action_digest(what);
    return {digest, keys[who].text(), keys[who].sign(approval_message(digest))};
  }
  [[nodiscard]] QuorumVerdict check(const std::vector<Approval>& approvals,
                                    std::int64_t now = kNow) const {
    return check_quorum(action, approvals, set, now);
  }
};

TEST(Action, HasOneText) {
  const Scene scene;
  const std::string text = encode(scene.action);
  EXPECT_NE(text.find("argument: delay=24h\nargument: label=pan-enc/1\n"), std::string::npos);
  const Action back = parse_action("a", text);
  EXPECT_EQ(encode(back), text);
  EXPECT_EQ(action_digest(back), action_digest(scene.action));
  const Action again = make_action(scene.action.vault, scene.action.verb, scene.action.arguments,
                                   scene.action.expires_ms);
  EXPECT_NE(action_digest(again), action_digest(scene.action));  // another nonce
}

TEST(Action, RefusesEveryOtherText) {
  const std::string good = encode(Scene().action);
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  const std::string bad[] = {
      good + "\n",
      good.substr(0, good.size() - 1),
      good + "more: 1\n",
      changed("verb: key.destroy\n", ""),
      changed("verb: key.destroy", "verb: key destroy"),
      changed("verb: ", "verb:  "),
      changed("v1\n", "v2\n"),
      changed("argument: delay=24h\n", "argument: label=x\n"),
      changed("argument: delay=24h\nargument: label=pan-enc/1\n",
              "argument: label=pan-enc/1\nargument: delay=24h\n"),
      changed("24h", "24h\r"),
      changed("vault: 0123456789abcdef", "vault: 0123456789ABCDEF"),
      changed(".000Z", "Z"),
  };
  for (const std::string& text : bad) {
    EXPECT_FALSE(refusal([&] { static_cast<void>(parse_action("a", text)); }).empty()) << text;
  }
  EXPECT_NE(refusal([] {
              static_cast<void>(make_action("0123456789abcdef", "x", {{"a", "1\n2"}}, kNow));
            }),
            "");
}

TEST(Approval, ComesBackFromItsFile) {
  const Scene scene;
  const Approval approval = scene.approve(0, scene.action);
  const Approval back = parse_approval("a", encode(approval));
  EXPECT_EQ(back.action, approval.action);
  EXPECT_EQ(back.key, approval.key);
  EXPECT_EQ(back.signature, approval.signature);
  EXPECT_NE(refusal([&] { static_cast<void>(parse_approval("a", "cardvault approval v1\n")); }),
            "");
}

TEST(Quorum, IsReachedByEnoughDistinctCustodians) {
  const Scene scene;
  const auto verdict =
      scene.check({scene.approve(2, scene.action), scene.approve(0, scene.action)});
  EXPECT_TRUE(verdict.reached);
  EXPECT_TRUE(verdict.problems.empty());
  EXPECT_EQ(verdict.approved_by, (std::vector<std::string>{"anna", "carol"}));
}

TEST(Quorum, CountsACustodianOnce) {
  const Scene scene;
  const auto verdict =
      scene.check({scene.approve(0, scene.action), scene.approve(0, scene.action)});
  EXPECT_FALSE(verdict.reached);
  EXPECT_EQ(verdict.problems[0], "anna approved it twice: that counts once");
  EXPECT_EQ(verdict.problems[1],
            "1 of 2 custodians needed have approved it; missing are bolat, carol");
}

TEST(Quorum, NamesWhatDoesNotCount) {
  const Scene scene;
  const Approval anna = scene.approve(0, scene.action);
  const auto refused = [&](const Approval& second, const std::string& why) {
    const auto verdict = scene.check({anna, second});
    EXPECT_FALSE(verdict.reached);
    ASSERT_FALSE(verdict.problems.empty());
    EXPECT_EQ(verdict.problems[0].find(why), 0U) << verdict.problems[0];
  };
  Action other = scene.action;
  other.arguments[1].second = "pan-enc/2";
  refused(scene.approve(1, other), "bolat approved another action");
  refused(scene.approve(3, scene.action), "an approval by p256:");  // no custodian
  Approval forged = scene.approve(1, scene.action);
  forged.signature[5] = static_cast<std::uint8_t>(forged.signature[5] ^ 1U);
  refused(forged, "the signature of bolat does not hold");
  Approval claimed = scene.approve(3, scene.action);
  claimed.key = scene.keys[1].text();
  refused(claimed, "the signature of bolat does not hold");
  Approval moved = scene.approve(1, other);
  moved.action = action_digest(scene.action);
  refused(moved, "the signature of bolat does not hold");
}

TEST(Quorum, NeedsTheVaultAndTheTime) {
  Scene scene;
  const std::vector<Approval> both = {scene.approve(0, scene.action),
                                      scene.approve(1, scene.action)};
  EXPECT_TRUE(scene.check(both).reached);
  EXPECT_TRUE(scene.check(both, scene.action.expires_ms - 1).reached);
  const auto late = scene.check(both, scene.action.expires_ms);
  EXPECT_FALSE(late.reached);
  EXPECT_EQ(late.problems[0].find("the action expired at "), 0U);
  EXPECT_FALSE(scene.check(both, scene.action.expires_ms - kMaxActionLife_ms - 1).reached);
  scene.set.vault = "fedcba9876543210";
  EXPECT_FALSE(scene.check(both).reached);
}

TEST(CustodianSet, ComesBackAndIsSignedByAll) {
  Scene scene;
  const std::string message = signed_message("custodians", set_body(scene.set));
  EXPECT_EQ(check_signatures(scene.set, scene.keys[3].key()).size(), 4U);
  scene.set.signatures.push_back({"audit-sign", scene.keys[3].sign(message)});
  for (std::size_t i = 0; i < 3; ++i) {
    scene.set.signatures.push_back({scene.set.custodians[i].name, scene.keys[i].sign(message)});
  }
  const CustodianSet back = parse_custodian_set("s", encode(scene.set));
  EXPECT_EQ(encode(back), encode(scene.set));
  EXPECT_TRUE(check_signatures(back, scene.keys[3].key()).empty());
  EXPECT_FALSE(check_signatures(back, scene.keys[0].key()).empty());  // another vault's key
  CustodianSet lowered = back;
  lowered.needed = 3;
  EXPECT_EQ(check_signatures(lowered, scene.keys[3].key()).size(), 4U);
}

TEST(CustodianSet, RefusesAFormThatIsNone) {
  const Scene scene;
  const std::string good = encode(scene.set);
  const auto refused = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    EXPECT_FALSE(refusal([&] { static_cast<void>(parse_custodian_set("s", text)); }).empty()) << to;
  };
  refused("needed: 2", "needed: 1");
  refused("needed: 2", "needed: 4");
  refused("needed: 2", "needed: 02");
  refused("custodian: bolat", "custodian: anna");
  refused(scene.keys[1].text(), scene.keys[0].text());
  refused("vault: 0", "vault: g");
  refused("audit-key: ", "audit-key:");
}

}  // namespace
}  // namespace cardvault::custody
