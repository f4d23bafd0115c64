#include "provisioning/custody/plan.h"

#include <gtest/gtest.h>

#include "tests/unit/custody/custody_fixture.h"

namespace cardvault::custody {
namespace {

using testing::plan_text;
using testing::refusal;
using testing::TestKey;

TEST(Plan, IsReadWhole) {
  const std::vector<TestKey> keys(3);
  const Plan plan = parse_plan("p", plan_text(keys));
  EXPECT_EQ(plan.label, "cardvault");
  EXPECT_EQ(plan.custodians.size(), 3U);
  EXPECT_EQ(plan.holders(SecretName::kBackupKey), (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(plan.digest, sha256(plan_text(keys)));
  EXPECT_FALSE(plan.custodians_unseal);
  EXPECT_TRUE(plan.read_back);
  const std::string shown = show_plan(plan);
  for (const auto& part : {hex(plan.digest), keys[1].text(), std::string("any 2 of 3 shares"),
                           std::string("the key audit-sign/1 is made")}) {
    EXPECT_NE(shown.find(part), std::string::npos) << part;
  }
}

TEST(Plan, NamesEachMistake) {
  const std::vector<TestKey> keys(3);
  const std::string good = plan_text(keys);
  const struct {
    const char* from;
    std::string to;
    const char* says;
  } cases[] = {
      {"version = 1", "version = 2", "version is not 1"},
      {"title = \"a test\"\n", "", "title is missing"},
      {"title = \"a test\"", "title = 5", "title has the wrong type"},
      {"title = \"a test\"", "titel = \"a test\"", "nothing is known by the name titel"},
      {"module = \"/usr", "module = \"usr", "module must be an absolute path"},
      {"label = \"cardvault\"", "label = \"\"", "label has 1 to 32 bytes"},
      {"label = \"cardvault\"", "label = \"x\"\npin = \"1\"", "nothing is known by the name pin"},
      {"unseal = \"pin-source\"", "unseal = \"never\"", "unseal is \"pin-source\" or"},
      {"so-pin = 2", "so-pin = 1", "so-pin must be at least 2 and at most the 3"},
      {"so-pin = 2", "so-pin = 4", "so-pin must be at least 2 and at most the 3"},
      {"so-pin = 2\n", "", "so-pin is missing"},
      {"approvals = 2", "approvals = 4", "approvals must be at least 2"},
      {"approvals = 2", "approvals = -1", "approvals must be at least 2"},
      {"name = \"bolat\"", "name = \"anna\"", "two custodians are called anna"},
      {"name = \"bolat\"", "name = \"Bolat\"", "a name is a-z"},
      {"name = \"bolat\"", "name = \"audit-sign\"", "a name is a-z"},
      {"delivery = \"terminal\"", "delivery = \"post\"", "delivery is \"terminal\" or"},
      {"delivery = \"terminal\"", "delivery = \"medium\"", "needs the folder"},
      {"delivery = \"terminal\"", "delivery = \"terminal\"\nsecrets = [\"pan\"]",
       "no secret is called pan"},
      {"delivery = \"terminal\"", "delivery = \"terminal\"\nsecrets = [\"so-pin\", \"so-pin\"]",
       "so-pin stands twice"},
      {"delivery = \"terminal\"",
       "delivery = \"medium\"\nmedium = \"/media/a\"\nkey_place = \"pkcs11:token=a\"",
       "a card signs only"},
      {"[token]", "[tokens]", "the section [token] is missing"},
      {"so-pin = 2", "so-pin = ", "line "},
  };
  for (const auto& one : cases) {
    std::string text = good;
    ASSERT_NE(text.find(one.from), std::string::npos) << one.from;
    text.replace(text.find(one.from), std::string_view(one.from).size(), one.to);
    const std::string said = refusal([&] { static_cast<void>(parse_plan("p", text)); });
    EXPECT_NE(said.find(one.says), std::string::npos) << one.to << "\n" << said;
    EXPECT_EQ(said.find("p is no plan to carry out:\n  "), 0U);
  }
  std::string twice = good;
  const auto at = twice.find(keys[1].text());
  twice.replace(at, keys[1].text().size(), keys[0].text());
  EXPECT_NE(refusal([&] {
              static_cast<void>(parse_plan("p", twice));
            }).find("anna and bolat have the same key"),
            std::string::npos);
  EXPECT_NE(refusal([&] { static_cast<void>(parse_plan("p", good + "x")); }), "");
}

TEST(Plan, WithoutBackupSaysWhatThatMeans) {
  const std::vector<TestKey> keys(2);
  std::string text = plan_text(keys);
  text.erase(text.find("backup-key = 2\n"), 15);
  const Plan plan = parse_plan("p", text);
  EXPECT_FALSE(plan.has(SecretName::kBackupKey));
  EXPECT_NE(show_plan(plan).find("THE KEYS ARE LOST WITH THE TOKEN"), std::string::npos);
}

TEST(Plan, GivesEachSecretItsOwnHolders) {
  const std::vector<TestKey> keys(3);
  std::string text = plan_text(keys);
  text += "secrets = [\"so-pin\", \"user-pin\"]\n";  // the last custodian's
  const Plan plan = parse_plan("p", text);
  EXPECT_EQ(plan.holders(SecretName::kBackupKey), (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(plan.holders(SecretName::kSoPin).size(), 3U);
}

}  // namespace
}  // namespace cardvault::custody
