#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "tests/unit/daemon/test_vault.h"

namespace cardvault::daemon {
namespace {

using core::CardView;
using core::TokenizeAnswer;

constexpr const char* kPan = "4111111111111111";
constexpr const char* kOther = "5555555555554444";
constexpr const char* kCustomer = "+77011234567";

const CardView& view(const core::TokenizeOutcome& outcome) {
  EXPECT_EQ(outcome_name(outcome), "ok");
  return std::get<CardView>(outcome);
}

TEST(Tokenize, GivesTheSameTokenForTheSameCustomerAndCard) {
  TestVault vault;
  const auto first = vault.tokenize(kPan, kCustomer, "2027-12");
  const auto again = vault.tokenize("4111 1111-1111 1111", kCustomer, "2027-12");
  EXPECT_FALSE(view(first).duplicate);
  EXPECT_TRUE(view(again).duplicate);
  EXPECT_EQ(view(first).token, view(again).token);
  EXPECT_EQ(view(first).last4, "1111");
  EXPECT_EQ(view(first).country, "KZ");
  EXPECT_EQ(view(first).expiry, "2027-12");
  EXPECT_EQ(view(first).masked, "411111******1111");
}

TEST(Tokenize, GivesTwoCustomersUnrelatedTokens) {
  TestVault vault;
  EXPECT_NE(vault.token(kPan, kCustomer), vault.token(kPan, "+77017654321"));
}

struct Refusal {
  const char* name;
  const char* pan;
  const char* customer;
  const char* expiry;
  const char* code;
};

class TokenizeRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(TokenizeRefusal, NamesWhatIsWrong) {
  TestVault vault;
  const Refusal& r = GetParam();
  EXPECT_EQ(outcome_name(vault.tokenize(r.pan, r.customer, r.expiry)), r.code);
  EXPECT_EQ(vault.count_in_log(std::string("\"outcome\":\"") + r.code), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Table, TokenizeRefusal,
    testing::Values(Refusal{"BadLuhn", "4111111111111112", kCustomer, "", "invalid_pan"},
                    Refusal{"Letters", "4111x11111111111", kCustomer, "", "invalid_pan"},
                    Refusal{"WrongLengthForBin", "4111111111116", kCustomer, "", "invalid_pan"},
                    Refusal{"NoCustomer", kPan, "", "", "customer_required"},
                    Refusal{"CustomerIsPan", kPan, kPan, "", "pan_in_field"},
                    Refusal{"Expired", kPan, kCustomer, "2020-01", "card_expired"},
                    Refusal{"BadExpiry", kPan, kCustomer, "2027-13", "invalid_expiry"},
                    Refusal{"Foreign", "4000056655665556", kCustomer, "", "country_refused"},
                    Refusal{"UnknownBin", "378282246310005", kCustomer, "", "bin_unknown"}),
    [](const auto& param) { return param.param.name; });

TEST(Tokenize, TakesACardWithoutCheckDigitWhereItsBinSaysSo) {
  TestVault vault;
  EXPECT_EQ(outcome_name(vault.tokenize("4000000000000001", kCustomer)), "ok");
}

TEST(Tokenize, RefusesACurrencyThatThePolicyDoesNotList) {
  TestVault vault;
  core::Settings settings;
  settings.tokenize.currencies = {"KZT"};
  vault.set(settings);
  EXPECT_EQ(outcome_name(vault.tokenize("4000000000000001", kCustomer)), "currency_refused");
  EXPECT_EQ(outcome_name(vault.tokenize(kPan, kCustomer)), "ok");
}

TEST(Tokenize, RepeatWithAnotherExpiryRenewsTheCard) {
  TestVault vault;
  const std::string token = view(vault.tokenize(kPan, kCustomer, "2027-12")).token;
  const auto renewed = vault.tokenize(kPan, kCustomer, "2031-01");
  EXPECT_EQ(view(renewed).token, token);
  EXPECT_EQ(view(renewed).expiry, "2031-01");
  const auto shown = vault.reveal(token);
  EXPECT_EQ(std::get<core::Revealed>(shown).expiry, "2031-01");
  EXPECT_EQ(std::get<core::Revealed>(shown).pan.expose(), kPan);
  EXPECT_EQ(view(vault.tokenize(kPan, kCustomer)).expiry, "2031-01");  // none given: kept
}

TEST(Tokenize, RepeatKeepsTheFirstFormat) {
  TestVault vault;
  const std::string token = vault.token(kPan, kCustomer);
  core::TokenizeItem numeric = item(kPan, kCustomer);
  numeric.format = core::TokenFormat::kNumeric;
  const auto answer = vault.call(TestVault::kWeb, one(std::move(numeric)));
  EXPECT_EQ(view(std::get<TokenizeAnswer>(answer).items.at(0)).token, token);
}

TEST(Tokenize, RepeatWithTtlNeverShortensALife) {
  TestVault vault;
  const auto with_ttl = [&](std::uint32_t ttl) {
    core::TokenizeItem i = item(kPan, kCustomer);
    i.ttl_s = ttl;
    const auto answer = vault.call(TestVault::kWeb, one(std::move(i)));
    return view(std::get<TokenizeAnswer>(answer).items.at(0)).expires_ms;
  };
  const std::int64_t now = vault.clock.now;
  EXPECT_EQ(with_ttl(100), now + 100'000);
  EXPECT_EQ(with_ttl(50), now + 100'000);
  EXPECT_EQ(with_ttl(200), now + 200'000);
  EXPECT_EQ(with_ttl(0), 0);
  EXPECT_EQ(with_ttl(10), 0);
}

TEST(Tokenize, RepeatWithMetadataReplacesIt) {
  TestVault vault;
  const auto with = [&](core::Metadata metadata) {
    core::TokenizeItem i = item(kPan, kCustomer);
    i.metadata = std::move(metadata);
    const auto answer = vault.call(TestVault::kWeb, one(std::move(i)));
    return view(std::get<TokenizeAnswer>(answer).items.at(0)).metadata;
  };
  EXPECT_EQ(with({{"label", "red"}}), (core::Metadata{{"label", "red"}}));
  EXPECT_EQ(with({}), (core::Metadata{{"label", "red"}}));
  EXPECT_EQ(with({{"label", "blue"}}), (core::Metadata{{"label", "blue"}}));
}

TEST(Tokenize, RefusesACardNumberInMetadata) {
  TestVault vault;
  core::TokenizeItem i = item(kPan, kCustomer);
  i.metadata = {{"note", "card 4111 1111 1111 1111"}};
  const auto answer = vault.call(TestVault::kWeb, one(std::move(i)));
  EXPECT_EQ(outcome_name(std::get<TokenizeAnswer>(answer).items.at(0)), "pan_in_field");
}

TEST(Tokenize, ATtlThatEndedMakesRoomForANewToken) {
  TestVault vault;
  core::TokenizeItem i = item(kPan, kCustomer);
  i.ttl_s = 60;
  const auto answer = vault.call(TestVault::kWeb, one(std::move(i)));
  const std::string token = view(std::get<TokenizeAnswer>(answer).items.at(0)).token;
  vault.clock.now += 61'000;
  EXPECT_EQ(outcome_name(vault.reveal(token)), "token_not_found");
  const auto again = vault.tokenize(kPan, kCustomer);
  EXPECT_FALSE(view(again).duplicate);
  EXPECT_NE(view(again).token, token);
}

TEST(Tokenize, WithoutCustomerNothingIsDeduplicated) {
  TestVault vault;
  const auto token = [&] {
    const auto answer = vault.call(TestVault::kAnonymous, one(item(kPan, "")));
    return view(std::get<TokenizeAnswer>(answer).items.at(0)).token;
  };
  EXPECT_NE(token(), token());
}

// 100 requests at once, from many threads.
std::vector<core::TokenizeOutcome> parallel(TestVault& vault, unsigned n,
                                            const std::function<std::string(unsigned)>& pan) {
  std::vector<core::TokenizeOutcome> outcomes(n);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < n; ++i) {
    threads.emplace_back([&, i] { outcomes[i] = vault.tokenize(pan(i), kCustomer); });
  }
  for (std::thread& thread : threads) thread.join();
  return outcomes;
}

TEST(Tokenize, OneTokenForAHundredParallelRequestsWithOneCard) {
  TestVault vault;
  const auto outcomes = parallel(vault, 100, [](unsigned) { return std::string(kPan); });
  std::set<std::string> tokens;
  unsigned fresh = 0;
  for (const auto& outcome : outcomes) {
    tokens.insert(view(outcome).token);
    fresh += view(outcome).duplicate ? 0 : 1;
  }
  EXPECT_EQ(tokens.size(), 1U);
  EXPECT_EQ(fresh, 1U);
}

TEST(Tokenize, CardLimitIsExactUnderAHundredParallelRequests) {
  TestVault vault;
  core::Settings settings;
  settings.rate_per_s = 0;
  settings.cards_per_customer = 7;
  settings.pan_budget_day = settings.pan_budget_month = 0;
  vault.set(settings);
  const auto outcomes = parallel(vault, 100, [](unsigned i) { return test_pan(i); });
  std::map<std::string, unsigned> counts;
  for (const auto& outcome : outcomes) ++counts[outcome_name(outcome)];
  EXPECT_EQ(counts["ok"], 7U);
  EXPECT_EQ(counts["card_limit_reached"], 93U);
}

TEST(Tokenize, PanBudgetIsExactUnderAHundredParallelRequests) {
  TestVault vault;
  core::Settings settings;
  settings.rate_per_s = 0;
  settings.cards_per_customer = 0;
  settings.pan_budget_day = 12;
  vault.set(settings);
  const auto outcomes = parallel(vault, 100, [](unsigned i) { return test_pan(i); });
  std::map<std::string, unsigned> counts;
  for (const auto& outcome : outcomes) ++counts[outcome_name(outcome)];
  EXPECT_EQ(counts["ok"], 12U);
  EXPECT_EQ(counts["pan_budget_exhausted"], 88U);
}

core::Settings day_budget(std::uint32_t pans) {
  core::Settings settings;
  settings.rate_per_s = 0;
  settings.pan_budget_day = pans;
  return settings;
}

TEST(Tokenize, OverTheBudgetKnownAndUnknownCardsAnswerAlike) {
  TestVault vault;
  vault.set(day_budget(2));
  vault.token(test_pan(1), kCustomer);
  // A refused card counts, once however often it is tried; a repeat of a known one doesn't.
  EXPECT_EQ(outcome_name(vault.tokenize(test_pan(1), kCustomer)), "ok");
  EXPECT_EQ(outcome_name(vault.tokenize("4000056655665556", kCustomer)), "country_refused");
  const auto unknown = std::get<core::Failure>(vault.tokenize(kOther, kCustomer));
  const auto known = std::get<core::Failure>(vault.tokenize(test_pan(1), kCustomer));
  const auto refused = std::get<core::Failure>(vault.tokenize("4000056655665556", kCustomer));
  for (const auto& failure : {unknown, known, refused}) {
    EXPECT_EQ(failure.code, base::Code::kPanBudgetExhausted);
    EXPECT_EQ(failure.retry_after_s, unknown.retry_after_s);
  }
  vault.clock.now += 86'400'000;
  EXPECT_EQ(outcome_name(vault.tokenize(kOther, kCustomer)), "ok");
}

// Of a card with another expiry than it is stored with.
std::uint64_t cost(TestVault& vault, const std::vector<std::string>& pans, const char* refusal) {
  const std::uint64_t before = vault.crypto.calls();
  core::Tokenize request;
  request.batch = true;
  for (const std::string& pan : pans) request.items.push_back(item(pan, kCustomer, "2031-01"));
  const core::Answer answer = vault.call(TestVault::kWeb, std::move(request));
  for (const auto& outcome : std::get<core::TokenizeAnswer>(answer).items) {
    EXPECT_EQ(outcome_name(outcome), refusal);
  }
  return vault.crypto.calls() - before;  // calls of the HSM are what takes time
}

TEST(Tokenize, AKnownCardCostsWhatAnUnknownOneDoesOverTheBudget) {
  TestVault vault;
  vault.set(day_budget(1));
  vault.token(test_pan(1), kCustomer);
  EXPECT_EQ(cost(vault, {test_pan(1)}, "pan_budget_exhausted"),
            cost(vault, {test_pan(2)}, "pan_budget_exhausted"));
  EXPECT_EQ(cost(vault, {test_pan(2), test_pan(1), test_pan(3)}, "pan_budget_exhausted"),
            cost(vault, {test_pan(2), test_pan(4), test_pan(3)}, "pan_budget_exhausted"));
}

TEST(Tokenize, AKnownCardCostsWhatAnUnknownOneDoesOfAFrozenCustomer) {
  TestVault vault;
  vault.token(test_pan(1), kCustomer);
  vault.freeze_customer();
  EXPECT_EQ(cost(vault, {test_pan(1)}, "customer_frozen"),
            cost(vault, {test_pan(2)}, "customer_frozen"));
}

TEST(Tokenize, ADeleteDoesNotRefundTheBudget) {
  TestVault vault;
  vault.set(day_budget(2));
  const std::string token = vault.token(test_pan(1), kCustomer);
  EXPECT_EQ(outcome_name(vault.call(TestVault::kWeb, core::TokenDelete{token})), "ok");
  vault.token(test_pan(2), kCustomer);
  EXPECT_EQ(outcome_name(vault.tokenize(test_pan(3), kCustomer)), "pan_budget_exhausted");
}

TEST(Tokenize, BatchAnswersEachItemInOrder) {
  TestVault vault;
  core::Tokenize batch;
  batch.batch = true;
  batch.items.push_back(item(kPan, kCustomer));
  batch.items.push_back(item("4111111111111112", kCustomer));
  batch.items.push_back(item(kOther, kCustomer));
  batch.items.push_back(item(kPan, kCustomer));
  const auto answer = std::get<TokenizeAnswer>(vault.call(TestVault::kWeb, std::move(batch)));
  ASSERT_EQ(answer.items.size(), 4U);
  EXPECT_TRUE(answer.batch);
  EXPECT_EQ(outcome_name(answer.items[1]), "invalid_pan");
  EXPECT_EQ(view(answer.items[2]).last4, "4444");
  EXPECT_TRUE(view(answer.items[3]).duplicate);
  EXPECT_EQ(view(answer.items[3]).token, view(answer.items[0]).token);
  EXPECT_EQ(vault.count_in_log("\"op\":\"tokenize\""), 4U);
}

TEST(Tokenize, IdempotencyKeyReplaysTheFirstAnswer) {
  TestVault vault;
  const auto with_key = [&](const char* pan) {
    core::Tokenize request = one(item(pan, kCustomer));
    request.idempotency_key = "order-17";
    return vault.call(TestVault::kWeb, std::move(request));
  };
  const auto first = with_key(kPan);
  const auto again = with_key(kPan);
  const auto& a = view(std::get<TokenizeAnswer>(first).items.at(0));
  const auto& b = view(std::get<TokenizeAnswer>(again).items.at(0));
  EXPECT_EQ(a.token, b.token);
  EXPECT_FALSE(b.duplicate);  // the first answer, not a new one
  EXPECT_EQ(outcome_name(with_key(kOther)), "idempotency_mismatch");
  vault.clock.now += 86'400'001;
  EXPECT_EQ(outcome_name(with_key(kOther)), "ok");
}

TEST(Tokenize, IdempotencyKeyInUseIsRefused) {
  TestVault vault;
  const auto hold = vault.idempotency.take("web", "busy");
  core::Tokenize request = one(item(kPan, kCustomer));
  request.idempotency_key = "busy";
  EXPECT_EQ(outcome_name(vault.call(TestVault::kWeb, std::move(request))), "idempotency_running");
}

TEST(Tokenize, AnHsmOutageIsAnsweredAndRecordedAndLosesNothing) {
  TestVault vault;
  vault.crypto.set_down(true);
  EXPECT_EQ(outcome_name(vault.tokenize(kPan, kCustomer)), "hsm_unavailable");
  vault.crypto.set_down(false);
  EXPECT_FALSE(view(vault.tokenize(kPan, kCustomer)).duplicate);
  EXPECT_EQ(vault.count_in_log("\"outcome\":\"hsm_unavailable\""), 1U);
}

TEST(Tokenize, AClockInDoubtStopsWrites) {
  TestVault vault;
  vault.clock.trust = false;
  EXPECT_EQ(outcome_name(vault.tokenize(kPan, kCustomer)), "clock_suspect");
}

TEST(Tokenize, TheLogHoldsNoCardNumber) {
  TestVault vault;
  const std::string token = vault.token(kPan, kCustomer);
  static_cast<void>(vault.tokenize("4111111111111112", kPan));
  static_cast<void>(vault.reveal(token));
  for (const std::string& line : vault.log()) {
    EXPECT_EQ(line.find("411111111111111"), std::string::npos);
    EXPECT_EQ(line.find("77011234567"), std::string::npos);
  }
}

}  // namespace
}  // namespace cardvault::daemon
