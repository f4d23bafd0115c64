#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "tests/unit/daemon/test_vault.h"

namespace cardvault::daemon {
namespace {

using core::TokenizeAnswer;

constexpr const char* kPan = "4111111111111111";
constexpr const char* kOther = "5555555555554444";
constexpr const char* kCustomer = "+77011234567";

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

TEST(Tokenize, ABatchMayRenewManyCards) {
  TestVault vault;
  core::Tokenize batch;
  batch.batch = true;
  std::vector<std::string> tokens;
  for (unsigned n = 1; n <= 8; ++n) {
    tokens.push_back(view(vault.tokenize(test_pan(n), kCustomer, "2027-12")).token);
    batch.items.push_back(item(test_pan(n), kCustomer, "2031-01"));
  }
  batch.items.push_back(item(test_pan(1), kCustomer, "2029-09"));  // the first of equals decides
  const core::Answer answer = vault.call(TestVault::kWeb, std::move(batch));
  const auto& outcomes = std::get<TokenizeAnswer>(answer).items;
  for (const auto& outcome : outcomes) {
    EXPECT_TRUE(view(outcome).duplicate);
    EXPECT_EQ(view(outcome).expiry, "2031-01");
  }
  for (const std::string& token : tokens) {
    EXPECT_EQ(std::get<core::Revealed>(vault.reveal(token)).expiry, "2031-01");
  }
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

TEST(Tokenize, ACardWhoseLifeEndedGoesWithItsEventAndDoesNotCount) {
  TestVault vault;
  core::Settings settings;
  settings.rate_per_s = 0;
  settings.cards_per_customer = 1;
  vault.set(settings);
  core::TokenizeItem i = item(kPan, kCustomer);
  i.ttl_s = 60;
  const auto answer = vault.call(TestVault::kWeb, one(std::move(i)));
  const std::string token = view(std::get<TokenizeAnswer>(answer).items.at(0)).token;
  EXPECT_EQ(outcome_name(vault.tokenize(kOther, kCustomer)), "card_limit_reached");
  vault.clock.now += 61'000;
  EXPECT_EQ(outcome_name(vault.tokenize(kOther, kCustomer)), "ok");
  EXPECT_EQ(vault.count_in_log("\"op\":\"token.expire\""), 0U);
  settings.cards_per_customer = 2;
  vault.set(settings);
  EXPECT_EQ(outcome_name(vault.tokenize(kPan, kCustomer)), "ok");
  std::size_t expired = 0;
  for (const std::string& line : vault.log()) {
    if (line.find("\"op\":\"token.expire\"") == std::string::npos) continue;
    ++expired;
    EXPECT_NE(line.find(token), std::string::npos);
  }
  EXPECT_EQ(expired, 1U);
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

// Calls of the HSM for a batch whose last card finds the budget used up by those before it.
std::uint64_t cost_after(std::initializer_list<unsigned> before, unsigned last) {
  TestVault vault;
  vault.set(day_budget(3));
  vault.token(test_pan(1), kCustomer);
  vault.token(test_pan(2), kCustomer);
  core::Tokenize request;
  request.batch = true;
  for (const unsigned n : before) request.items.push_back(item(test_pan(n), kCustomer, "2031-01"));
  request.items.push_back(item(test_pan(last), kCustomer, "2031-01"));
  const std::uint64_t calls = vault.crypto.calls();
  const core::Answer answer = vault.call(TestVault::kWeb, std::move(request));
  const auto& outcomes = std::get<TokenizeAnswer>(answer).items;
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(view(outcomes[i]).expiry, "2031-01");
  }
  EXPECT_EQ(outcome_name(outcomes.back()), "pan_budget_exhausted");
  return vault.crypto.calls() - calls;
}

TEST(Tokenize, AKnownCardCostsWhatAnUnknownOneDoesInTheBatchThatUsesTheBudgetUp) {
  EXPECT_EQ(cost_after({3}, 1), cost_after({3}, 4));
  // Also when the batch is prepared again, for a card that is within the budget.
  EXPECT_EQ(cost_after({2, 3}, 1), cost_after({2, 3}, 4));
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
  EXPECT_EQ(vault.count_in_log(R"("details":{"duplicate":"true"})"), 1U);
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

TEST(Tokenize, ABatchThatMetAFailureIsKeptWhereARepeatWouldStoreCardsTwice) {
  TestVault vault;
  const auto batch = [&](std::uint8_t pin, const char* customer, const char* key,
                         std::initializer_list<const char*> pans) {
    core::Tokenize request;
    request.batch = true;
    request.idempotency_key = key;
    for (const char* pan : pans) request.items.push_back(item(pan, customer));
    return std::get<TokenizeAnswer>(vault.call(pin, std::move(request))).items;
  };
  const auto second_fails = [&](std::uint8_t pin, const char* one, const char* customer) {
    const std::uint64_t before = vault.crypto.calls();
    batch(pin, one, "measured", {kPan});
    vault.crypto.fail_next({base::Code::kHsmUnavailable, "test", 0}, 1,
                           static_cast<int>(vault.crypto.calls() - before));
    const auto first = batch(pin, customer, "repeated", {kPan, kOther});
    EXPECT_EQ(outcome_name(first[1]), "hsm_unavailable");
    const auto again = batch(pin, customer, "repeated", {kPan, kOther});
    EXPECT_EQ(view(again[0]).token, view(first[0]).token);
    return outcome_name(again[1]);
  };
  EXPECT_EQ(second_fails(TestVault::kAnonymous, "", ""), "hsm_unavailable");
  EXPECT_EQ(second_fails(TestVault::kWeb, "+77010000001", kCustomer), "ok");
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
