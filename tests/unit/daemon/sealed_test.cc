// Sealed reveals and what confirms them; canaries.
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <set>
#include <thread>

#include "tests/unit/daemon/by_hand.h"
#include "tests/unit/daemon/otp_calls.h"

namespace cardvault::daemon {
namespace {

constexpr const char* kPan = "4111111111111111";
constexpr const char* kCustomer = "+77011234567";

core::DetokenizeItem to_acquirer(const std::string& token,
                                 std::optional<core::PaymentContext> context = groceries()) {
  return {token, "payment", false, "acquirer", std::move(context)};
}

core::DetokenizeOutcome reveal(TestVault& vault, core::DetokenizeItem item,
                               std::uint8_t pin = TestVault::kWeb) {
  core::Detokenize request;
  request.items.push_back(std::move(item));
  core::Answer answer = vault.call(pin, std::move(request));
  if (auto* failure = std::get_if<core::Failure>(&answer)) return *failure;
  return std::move(std::get<core::DetokenizeAnswer>(answer).items.at(0));
}

std::string sealed_or_code(const core::DetokenizeOutcome& outcome) {
  const auto* sealed = std::get_if<core::SealedCard>(&outcome);
  return sealed != nullptr ? sealed->sealed : outcome_name(outcome);
}

// The customer has typed the code of this payment.
void confirm(TestVault& vault, const core::PaymentContext& context,
             std::string_view customer = kCustomer) {
  core::OtpSeal seal = seal_request(customer, kPayment);
  seal.context = context;
  core::OtpVerify verify = verify_request(customer, sealed_code(vault, std::move(seal)), kPayment);
  verify.context = context;
  ASSERT_EQ(outcome_text(vault.call(TestVault::kWeb, std::move(verify))), "verified");
}

core::Settings unconfirmed() {
  core::Settings settings;
  settings.rate_per_s = 0;
  settings.confirm_sealed = false;
  return settings;
}

TEST(SealedReveal, SpendsTheCodeOfTheConfirmedPaymentOnce) {
  TestVault vault;
  const std::string token = vault.token(kPan, kCustomer);
  EXPECT_EQ(sealed_or_code(reveal(vault, to_acquirer(token))), "confirmation_required");
  confirm(vault, groceries());
  const std::string sealed = sealed_or_code(reveal(vault, to_acquirer(token)));
  EXPECT_TRUE(sealed.starts_with("jwe acquirer jws cardvault-card+jwt")) << sealed;
  EXPECT_EQ(fakes::claim(sealed, "pan"), kPan);
  EXPECT_EQ(fakes::claim(sealed, "token"), token);
  EXPECT_EQ(fakes::claim(sealed, "aud"), "acquirer");
  EXPECT_NE(sealed.find("\"payee\":\"Green Grocer\""), std::string::npos);
  EXPECT_EQ(sealed_or_code(reveal(vault, to_acquirer(token))), "confirmation_required");
  EXPECT_EQ(vault.count_in_log("\"recipient\":\"acquirer\""), 3U);
}

TEST(SealedReveal, IsForTheConfirmedAmountCurrencyAndPayeeOnly) {
  TestVault vault;
  const std::string token = vault.token(kPan, kCustomer);
  confirm(vault, groceries());
  core::PaymentContext other = groceries();
  other.amount += 1;
  EXPECT_EQ(sealed_or_code(reveal(vault, to_acquirer(token, other))), "confirmation_required");
  other = groceries();
  other.currency = "USD";
  EXPECT_EQ(sealed_or_code(reveal(vault, to_acquirer(token, other))), "confirmation_required");
  other = groceries();
  other.payee += "s";
  EXPECT_EQ(sealed_or_code(reveal(vault, to_acquirer(token, other))), "confirmation_required");
  EXPECT_EQ(sealed_or_code(reveal(vault, to_acquirer(token, std::nullopt))),
            "confirmation_required");
  EXPECT_TRUE(sealed_or_code(reveal(vault, to_acquirer(token))).starts_with("jwe"));
}

TEST(SealedReveal, TakesTheCodeOfTheCardsOwnCustomer) {
  TestVault vault;
  const std::string token = vault.token(kPan, kCustomer);
  confirm(vault, groceries(), "+77017654321");
  EXPECT_EQ(sealed_or_code(reveal(vault, to_acquirer(token))), "confirmation_required");
}

TEST(SealedReveal, TakesNoCodeThatIsOnlySealedOrTooOld) {
  TestVault vault;
  const std::string token = vault.token(kPan, kCustomer);
  core::OtpSeal seal = seal_request(kCustomer, kPayment);
  seal.context = groceries();
  static_cast<void>(sealed_code(vault, std::move(seal)));
  EXPECT_EQ(sealed_or_code(reveal(vault, to_acquirer(token))), "confirmation_required");
  vault.clock.now += 61'000;  // a new code may be sent
  confirm(vault, groceries());
  vault.clock.now += 900'000;
  EXPECT_EQ(sealed_or_code(reveal(vault, to_acquirer(token))), "confirmation_required");
}

TEST(SealedReveal, OfOneConfirmedPaymentIsOneAmongAHundred) {
  TestVault vault;
  const std::string token = vault.token(kPan, kCustomer);
  confirm(vault, groceries());
  std::vector<std::future<std::string>> outcomes;
  for (int i = 0; i < 100; ++i) {
    outcomes.push_back(std::async(
        std::launch::async, [&] { return sealed_or_code(reveal(vault, to_acquirer(token))); }));
  }
  std::size_t sealed = 0;
  for (auto& outcome : outcomes) sealed += outcome.get().starts_with("jwe") ? 1 : 0;
  EXPECT_EQ(sealed, 1U);
}

TEST(SealedReveal, OfABatchSpendsOneCodeForOneItem) {
  TestVault vault;
  const std::string first = vault.token(kPan, kCustomer);
  const std::string second = vault.token("5555555555554444", kCustomer);
  confirm(vault, groceries());
  core::Detokenize request;
  request.batch = true;
  request.items.push_back(to_acquirer(first));
  request.items.push_back(to_acquirer(second));
  const auto answer = vault.call(TestVault::kWeb, std::move(request));
  const auto& items = std::get<core::DetokenizeAnswer>(answer).items;
  EXPECT_TRUE(sealed_or_code(items.at(0)).starts_with("jwe"));
  EXPECT_EQ(sealed_or_code(items.at(1)), "confirmation_required");
}

TEST(SealedReveal, NeedsARecipientOfCardsAndNoContextOfItsOwn) {
  TestVault vault;
  vault.set(unconfirmed());
  const std::string token = vault.token(kPan, kCustomer);
  core::DetokenizeItem item = to_acquirer(token, std::nullopt);
  EXPECT_TRUE(sealed_or_code(reveal(vault, item)).starts_with("jwe"));
  item.recipient = "nobody";
  EXPECT_EQ(sealed_or_code(reveal(vault, item)), "recipient_unknown");
  item.recipient = "sms-gateway";
  EXPECT_EQ(sealed_or_code(reveal(vault, item)), "recipient_not_allowed");
  item.recipient = "acquirer";
  vault.clock.now += 366 * 86'400'000LL;
  EXPECT_EQ(sealed_or_code(reveal(vault, item)), "recipient_expired");
  item = to_acquirer(token);
  item.context->currency = "tenge";
  EXPECT_EQ(sealed_or_code(reveal(vault, item)), "invalid_context");
  item = to_acquirer(token);
  item.recipient.clear();
  EXPECT_EQ(sealed_or_code(reveal(vault, item, TestVault::kProcessor)), "invalid_context");
}

TEST(SealedReveal, IsNoWayAroundTheClearPermission) {
  TestVault vault;
  vault.set(unconfirmed());
  const std::string token = vault.token(kPan, kCustomer);
  core::DetokenizeItem clear = to_acquirer(token, std::nullopt);
  clear.recipient.clear();
  EXPECT_EQ(sealed_or_code(reveal(vault, clear)), "permission_denied");
  EXPECT_EQ(sealed_or_code(reveal(vault, to_acquirer(token), TestVault::kProcessor)),
            "permission_denied");
}

TEST(SealedReveal, IsChargedToTheBudgetsAndSpendsNothingOverThem) {
  TestVault vault;
  core::Settings settings = unconfirmed();
  settings.confirm_sealed = true;
  settings.reveal = {1, 0, 0};
  settings.otp.resend_s = 0;
  vault.set(settings);
  const std::string token = vault.token(kPan, kCustomer);
  confirm(vault, groceries());
  EXPECT_TRUE(sealed_or_code(reveal(vault, to_acquirer(token))).starts_with("jwe"));
  confirm(vault, groceries());
  EXPECT_EQ(sealed_or_code(reveal(vault, to_acquirer(token))), "reveal_budget_exhausted");
  vault.clock.now += 3'600'000 - vault.clock.now % 3'600'000;  // the next hour …
  settings.otp.spend_s = 7200;
  vault.set(settings);
  vault.clock.now += 1;
  confirm(vault, groceries());
  EXPECT_TRUE(sealed_or_code(reveal(vault, to_acquirer(token))).starts_with("jwe"));
}

TEST(SealedReveal, SpendsNoCodeWhileTheClockIsInDoubt) {
  TestVault vault;
  const std::string token = vault.token(kPan, kCustomer);
  confirm(vault, groceries());
  vault.clock.trust = false;
  EXPECT_EQ(sealed_or_code(reveal(vault, to_acquirer(token))), "clock_suspect");
  EXPECT_EQ(outcome_name(vault.reveal(token)), "ok");  // a reveal without a code goes on
  vault.clock.trust = true;
  EXPECT_TRUE(sealed_or_code(reveal(vault, to_acquirer(token))).starts_with("jwe"));
}

TEST(SealedReveal, ThatCannotBeSignedSpendsNothing) {
  TestVault vault;
  const std::string token = vault.token(kPan, kCustomer);
  confirm(vault, groceries());
  vault.sealer.fail_next({base::Code::kHsmUnavailable, "test", 0});
  EXPECT_EQ(sealed_or_code(reveal(vault, to_acquirer(token))), "hsm_unavailable");
  EXPECT_TRUE(sealed_or_code(reveal(vault, to_acquirer(token))).starts_with("jwe"));
}

void plant(TestVault& vault, const std::string& token) {
  std::set<core::TokenId> canaries{core::Token::parse(token)->id()};
  vault.services.canaries.store(
      std::make_shared<const std::set<core::TokenId>>(std::move(canaries)));
}

TEST(Canary, FreezesWhoRevealsIt) {
  TestVault vault;
  std::vector<std::string> raised;
  vault.services.alarm_raised = [&](std::string_view what) { raised.emplace_back(what); };
  const std::string token = vault.token(kPan, kCustomer);
  const std::string canary = vault.token("5555555555554444", "+77010000099");
  plant(vault, canary);
  EXPECT_EQ(outcome_name(vault.reveal(canary)), "client_frozen");
  EXPECT_EQ(outcome_name(vault.reveal(token)), "client_frozen");
  EXPECT_EQ(raised, (std::vector<std::string>{"canary_revealed", "client_frozen"}));
  EXPECT_EQ(vault.count_in_log("canary_revealed"), 1U);
  const auto clients = (*vault.store->make_reader())->clients();
  EXPECT_TRUE(std::ranges::find(*clients, "processor", &core::Client::id)->frozen);
}

TEST(Canary, StopsTheWholeBatchAndSealedRevealsToo) {
  TestVault vault;
  vault.set(unconfirmed());
  const std::string token = vault.token(kPan, kCustomer);
  const std::string canary = vault.token("5555555555554444", "+77010000099");
  plant(vault, canary);
  core::Detokenize request;
  request.batch = true;
  request.items.push_back(to_acquirer(token));
  request.items.push_back(to_acquirer(canary));
  const auto answer = vault.call(TestVault::kWeb, std::move(request));
  for (const auto& item : std::get<core::DetokenizeAnswer>(answer).items) {
    EXPECT_EQ(sealed_or_code(item), "client_frozen");
  }
}

// An operator's act on the client in the group of the reveal, as the admin socket does it.
void change_in_the_same_group(TestVault& vault, ByHand& reveal,
                              const std::function<void(core::Client&)>& change) {
  std::promise<void> open;
  auto& committer = vault.store->committer();
  committer.submit(std::make_unique<Effect>(
      [waits = open.get_future()](core::Transaction&, core::EventSink&) -> base::Result<void> {
        waits.wait();
        return {};
      }));
  core::Client changed;
  committer.submit(std::make_unique<Effect>(
      [&](core::Transaction& tx, core::EventSink&) -> base::Result<void> {
        auto clients = tx.clients();
        changed = *std::ranges::find(*clients, "processor", &core::Client::id);
        change(changed);
        return tx.put_client(changed);
      },
      [&](const base::Result<core::Receipt>&) { vault.clients.put(changed); }));
  reveal.submit();
  open.set_value();
  EXPECT_TRUE(reveal.wait());
}

TEST(Canary, FreezesWhomAnOperatorChangesInTheSameGroup) {
  TestVault vault;
  const std::string canary = vault.token(kPan, kCustomer);
  plant(vault, canary);
  core::Detokenize request;
  request.items.push_back({canary, "payment", false, "", {}});
  ByHand reveal(vault, TestVault::kProcessor, std::move(request));
  reveal.prepare();
  change_in_the_same_group(vault, reveal, [](core::Client& client) { client.rate_per_s = 7; });
  const auto client = vault.clients.by_id("processor");
  EXPECT_TRUE(client->frozen);
  EXPECT_EQ(client->rate_per_s, 7U);
}

TEST(Canary, FreezesInMemoryWhomTheDatabaseHasFrozen) {
  TestVault vault;
  const std::string canary = vault.token(kPan, kCustomer);
  plant(vault, canary);
  const core::Client before = *vault.clients.by_id("processor");
  EXPECT_EQ(outcome_name(vault.reveal(canary)), "client_frozen");
  vault.clients.put(before);
  EXPECT_EQ(outcome_name(vault.reveal(canary)), "client_frozen");
  EXPECT_TRUE(vault.clients.by_id("processor")->frozen);
}

TEST(Canary, IsSafeToMask) {
  TestVault vault;
  const std::string canary = vault.token(kPan, kCustomer);
  plant(vault, canary);
  EXPECT_EQ(outcome_name(reveal(vault, {canary, "display", true, "", {}})), "ok");
  EXPECT_FALSE(vault.clients.by_id("web")->frozen);
}

}  // namespace
}  // namespace cardvault::daemon
