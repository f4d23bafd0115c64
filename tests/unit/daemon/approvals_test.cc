#include "vault/daemon/admin_approvals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/daemon/test_vault.h"
#include "vault/core/client_freeze.h"

namespace cardvault::daemon {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

wire::AdminRequest request(std::string verb,
                           std::vector<std::pair<std::string, std::string>> arguments) {
  wire::AdminRequest made;
  made.verb = std::move(verb);
  made.arguments = std::move(arguments);
  return made;
}

struct Approvals : testing::Test {
  std::string text(const wire::AdminRequest& of) { return act_text(vault.services, of).value(); }
  TestVault vault;
};

TEST_F(Approvals, ActIsItsVerbAndItsArgumentsWhateverTheirOrder) {
  EXPECT_EQ(text(request("client.release", {{"id", "web"}})), "client.release id=web");
  EXPECT_EQ(text(request("a", {{"x", "1"}, {"b", "2"}})),
            text(request("a", {{"b", "2"}, {"x", "1"}})));
  EXPECT_EQ(text(request("clock.confirm", {})), "clock.confirm");
}

TEST_F(Approvals, FreezingAClientVoidsTheWordsForItsReleaseAlone) {
  const std::string web = text(request("client.release", {{"id", "web"}}));
  const std::string other = text(request("client.release", {{"id", "processor"}}));
  vault.write([&](core::Transaction& tx) -> base::Result<void> {
    for (const std::string& act : {web, other}) {
      if (auto ok = tx.put_approval({act, "anna", 1}); !ok) return ok;
    }
    core::Client client = *vault.clients.by_id("web");
    return core::freeze_client(tx, client);
  });
  vault.write([&](core::Transaction& tx) -> base::Result<void> {
    EXPECT_FALSE(tx.approval(web)->has_value());
    EXPECT_TRUE(tx.approval(other)->has_value());
    const auto clients = tx.clients();
    for (const core::Client& client : *clients) EXPECT_EQ(client.frozen, client.id == "web");
    return {};
  });
}

TEST_F(Approvals, BudgetThatFreezesVoidsWordsToo) {
  const std::string act = text(request("client.release", {{"id", "processor"}}));
  core::Settings settings = *vault.services.settings.load();
  settings.rate_per_s = 0;
  settings.reveal.client_per_hour = 1;
  vault.set(settings);
  const std::string token = vault.token(test_pan(1), "+77010000001");
  vault.write([&](core::Transaction& tx) { return tx.put_approval({act, "anna", 1}); });
  for (int i = 0; i < 8; ++i) static_cast<void>(vault.reveal(token));
  ASSERT_TRUE(vault.clients.by_id("processor")->frozen);
  vault.write([&](core::Transaction& tx) -> base::Result<void> {
    EXPECT_FALSE(tx.approval(act)->has_value());
    return {};
  });
}

TEST_F(Approvals, ActsThatDifferHaveDifferentTexts) {
  const std::string web = text(request("client.release", {{"id", "web"}}));
  EXPECT_NE(web, text(request("client.release", {{"id", "web2"}})));
  EXPECT_NE(web, text(request("client.freeze", {{"id", "web"}})));
  EXPECT_NE(text(request("v", {{"a", "1 b=2"}})), text(request("v", {{"a", "1"}, {"b", "2"}})));
  EXPECT_NE(text(request("v", {{"a", "x#y"}})), text(request("v", {{"a", "x=y"}})));
}

TEST_F(Approvals, CertificateIsPartOfTheAct) {
  auto one = request("recipient.add", {{"name", "acquirer"}}),
       other = request("recipient.add", {{"name", "acquirer"}});
  const std::string without = text(one);
  one.blob = {1, 2, 3};
  other.blob = {1, 2, 4};
  EXPECT_THAT(text(one), StartsWith(without + " file#"));
  EXPECT_NE(text(one), text(other));
  EXPECT_EQ(text(one).size(), text(other).size());
}

TEST_F(Approvals, CustomersAndNumbersStandInItAsKeyedFingerprints) {
  const std::string customer = text(request("otp.unlock", {{"customer", "+77010000001"}}));
  EXPECT_THAT(customer, Not(HasSubstr("7701000")));
  EXPECT_NE(customer, text(request("otp.unlock", {{"customer", "+77010000002"}})));
  const std::string typo = text(request("token.delete", {{"token", "4111111111111111"}}));
  EXPECT_THAT(typo, Not(HasSubstr("41111111")));
  const std::string longer = text(request("client.add", {{"san", std::string(10'000, 'a')}}));
  EXPECT_LT(longer.size(), 100U);
}

TEST(ApprovalRow, IsCompletedByAnotherOperatorWithinADay) {
  const core::ApprovalRow asked{"client.release id=web", "anna", 1'000'000};
  EXPECT_TRUE(completes(asked, "berik", 1'000'000));
  EXPECT_TRUE(completes(asked, "berik", 1'000'000 + kApprovalMs - 1));
  EXPECT_FALSE(completes(asked, "berik", 1'000'000 + kApprovalMs));
  EXPECT_FALSE(completes(asked, "berik", 999'999));
  EXPECT_FALSE(completes(asked, "anna", 1'000'001));
}

}  // namespace
}  // namespace cardvault::daemon
