#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <future>
#include <thread>

#include "tests/unit/daemon/test_vault.h"
#include "vault/core/bound_encryption.h"
#include "vault/daemon/announcement.h"

namespace cardvault::daemon {
namespace {

using testing::HasSubstr;

constexpr const char* kPan = "4111111111111111";
constexpr const char* kCustomer = "+77011234567";

core::Client stored_client(TestVault& vault, std::string_view id) {
  const auto clients = (*vault.store->make_reader())->clients();
  const auto found = std::ranges::find(*clients, id, &core::Client::id);
  return found == clients->end() ? core::Client{} : *found;
}

TEST(Detokenize, ShowsTheNumberToWhomMaySeeIt) {
  TestVault vault;
  const auto shown = vault.reveal(vault.token(kPan, kCustomer));
  EXPECT_EQ(std::get<core::Revealed>(shown).pan.expose(), kPan);
  EXPECT_EQ(vault.count_in_log("\"op\":\"detokenize\",\"outcome\":\"ok\""), 1U);
}

TEST(Detokenize, ReadsCardsOfBothSuitesSideBySide) {
  TestVault vault;
  const std::string gcm = vault.token(kPan, kCustomer);
  vault.crypto.use_suite(core::Suite::kAes256CbcHmacSha256);
  const std::string cbc = vault.token("5555555555554444", kCustomer);
  EXPECT_EQ(std::get<core::Revealed>(vault.reveal(gcm)).pan.expose(), kPan);
  EXPECT_EQ(std::get<core::Revealed>(vault.reveal(cbc)).pan.expose(), "5555555555554444");
}

TEST(BoundEncryption, NamesTheSuiteOfTheTokenThatEncrypted) {
  TestVault vault;
  const core::KeyRef key = vault.keys.get(core::KeyPurpose::kPanEnc);
  std::vector<core::Suite> asked;
  const auto aad = [](core::Suite suite) {
    return std::vector<std::uint8_t>{static_cast<std::uint8_t>(suite)};
  };
  const std::vector<std::uint8_t> plain = {1, 2, 3};
  const auto sealed = core::encrypt_bound(vault.services, key, plain, [&](core::Suite suite) {
    asked.push_back(suite);
    vault.crypto.use_suite(core::Suite::kAes256CbcHmacSha256);  // another token takes over
    return aad(suite);
  });
  ASSERT_TRUE(sealed);
  EXPECT_EQ(asked, (std::vector{core::Suite::kAes256Gcm, core::Suite::kAes256CbcHmacSha256}));
  EXPECT_EQ(sealed->suite, asked.back());
  EXPECT_TRUE(vault.crypto.decrypt(key, *sealed, aad(sealed->suite)));
}

TEST(BoundEncryption, GivesUpWhenTokensTakeTurns) {
  TestVault vault;
  const core::KeyRef key = vault.keys.get(core::KeyPurpose::kPanEnc);
  const std::vector<std::uint8_t> plain = {1, 2, 3};
  const auto sealed = core::encrypt_bound(vault.services, key, plain, [&](core::Suite suite) {
    using enum core::Suite;
    vault.crypto.use_suite(suite == kAes256Gcm ? kAes256CbcHmacSha256 : kAes256Gcm);
    return std::vector<std::uint8_t>{1};
  });
  EXPECT_EQ(sealed.error().code, base::Code::kHsmUnavailable);
}

TEST(Detokenize, MasksForWhomMayRead) {
  TestVault vault;
  core::Detokenize request;
  request.items.push_back({vault.token(kPan, kCustomer), "display", true, "", {}});
  const auto answer = vault.call(TestVault::kWeb, std::move(request));
  const auto& outcome = std::get<core::DetokenizeAnswer>(answer).items.at(0);
  EXPECT_EQ(std::get<core::Masked>(outcome).masked, "411111******1111");
}

TEST(Detokenize, IsDeniedWithoutPermissionPurposeOrRegistration) {
  TestVault vault;
  const std::string token = vault.token(kPan, kCustomer);
  core::Detokenize clear;
  clear.items.push_back({token, "payment", false, "", {}});
  EXPECT_EQ(outcome_name(vault.call(TestVault::kWeb, std::move(clear))), "permission_denied");
  EXPECT_EQ(outcome_name(vault.reveal(token, "curiosity")), "purpose_denied");
  core::Detokenize stranger;
  stranger.items.push_back({token, "payment", false, "", {}});
  EXPECT_EQ(outcome_name(vault.call(TestVault::kStranger, std::move(stranger))), "client_unknown");
}

TEST(Detokenize, AGateCannotPresentAClientAboveItsCeiling) {
  TestVault vault;
  const std::string token = vault.token(kPan, kCustomer);
  const auto clear = [&] {
    core::Detokenize request;
    request.items.push_back({token, "payment", false, "", {}});
    return request;
  };
  const core::Ceiling web{"web", {"web"}, {UINT32_MAX}};
  EXPECT_EQ(outcome_name(vault.call_through(web, TestVault::kProcessor, clear())),
            "permission_denied");
  const core::Ceiling narrow{
      "web", {"*"}, {static_cast<std::uint32_t>(core::Permission::kTokenize)}};
  EXPECT_EQ(outcome_name(vault.call_through(narrow, TestVault::kProcessor, clear())),
            "permission_denied");
}

TEST(Detokenize, RevokedAndFrozenClientsAreRefusedAtOnce) {
  TestVault vault;
  const std::string token = vault.token(kPan, kCustomer);
  core::Client client = *vault.clients.by_id("processor");
  client.frozen = true;
  vault.clients.put(client);
  EXPECT_EQ(outcome_name(vault.reveal(token)), "client_frozen");
  client.revoked = true;
  vault.clients.put(client);
  EXPECT_EQ(outcome_name(vault.reveal(token)), "client_revoked");
}

TEST(Detokenize, WhatAFrozenOrRevokedClientAsksIsLoggedAsIts) {
  TestVault vault;
  const std::string token = vault.token(kPan, kCustomer);
  core::Client client = *vault.clients.by_id("processor");
  client.frozen = true;
  vault.clients.put(client);
  static_cast<void>(vault.reveal(token));
  EXPECT_THAT(vault.log().back(), HasSubstr(R"("actor":"client:processor")"));
  EXPECT_THAT(vault.log().back(), HasSubstr(R"("outcome":"client_frozen")"));
  client.revoked = true;
  vault.clients.put(client);
  static_cast<void>(vault.reveal(token));
  EXPECT_THAT(vault.log().back(), HasSubstr(R"("actor":"client:processor")"));
  EXPECT_THAT(vault.log().back(), HasSubstr(R"("outcome":"client_revoked")"));
  // A gate that may not present it speaks for nobody.
  static_cast<void>(vault.call_through({"web", {"web"}, {UINT32_MAX}}, TestVault::kProcessor,
                                       core::TokenGet{token}));
  EXPECT_THAT(vault.log().back(), HasSubstr(R"("actor":"unknown")"));
}

TEST(Detokenize, RefusalsNameTheTokenThatWasGivenUnlessItHoldsACardNumber) {
  TestVault vault;
  const std::string opaque = "tok_01KAB3WTZXABCDEFGHJKMNPQRS";
  const std::string with_pan = "tok_0000000000" + std::string(kPan);
  for (const std::string& token : {opaque, with_pan, std::string("no token")}) {
    static_cast<void>(vault.reveal(token));
    static_cast<void>(vault.call(TestVault::kWeb, core::TokenGet{token}));
    static_cast<void>(vault.call(TestVault::kWeb, core::TokenDelete{token}));
  }
  EXPECT_EQ(vault.count_in_log(R"("resource":")" + opaque + '"'), 3U);
  EXPECT_EQ(vault.count_in_log(R"("outcome":"token_not_found")"), 6U);
  EXPECT_EQ(vault.count_in_log(kPan), 0U);
  EXPECT_EQ(vault.count_in_log("no token"), 0U);
}

TEST(Detokenize, FrozenAndDeletedCardsStayHidden) {
  TestVault vault;
  const std::string token = vault.token(kPan, kCustomer);
  EXPECT_EQ(outcome_name(vault.call(TestVault::kWeb, core::TokenFreeze{token, true})), "ok");
  EXPECT_EQ(outcome_name(vault.reveal(token)), "card_frozen");
  EXPECT_EQ(outcome_name(vault.tokenize(kPan, kCustomer)), "ok");  // a repeat thaws nothing
  EXPECT_EQ(outcome_name(vault.reveal(token)), "card_frozen");
  EXPECT_EQ(outcome_name(vault.call(TestVault::kWeb, core::TokenFreeze{token, false})), "ok");
  EXPECT_EQ(outcome_name(vault.reveal(token)), "ok");
  EXPECT_EQ(outcome_name(vault.call(TestVault::kWeb, core::TokenDelete{token})), "ok");
  EXPECT_EQ(outcome_name(vault.reveal(token)), "token_not_found");
  EXPECT_EQ(outcome_name(vault.call(TestVault::kWeb, core::TokenDelete{token})), "token_not_found");
}

TEST(Detokenize, PurposeCanDemandACurrency) {
  TestVault vault;
  const std::string dollars = vault.token("4000000000000001", kCustomer);
  EXPECT_EQ(outcome_name(vault.reveal(dollars, "card_to_card")), "currency_refused");
  EXPECT_EQ(outcome_name(vault.reveal(dollars, "payment")), "ok");
  EXPECT_EQ(outcome_name(vault.reveal(vault.token(kPan, kCustomer), "card_to_card")), "ok");
}

TEST(Detokenize, NumericTokensWorkAndGuessingThemIsMadeToWait) {
  TestVault vault;
  core::TokenizeItem numeric = item(kPan, kCustomer);
  numeric.format = core::TokenFormat::kNumeric;
  const auto answer = vault.call(TestVault::kWeb, one(std::move(numeric)));
  const auto& card = std::get<core::CardView>(std::get<core::TokenizeAnswer>(answer).items.at(0));
  EXPECT_EQ(card.token.size(), 19U);
  EXPECT_EQ(outcome_name(vault.reveal(card.token)), "ok");
  core::Settings settings;
  settings.rate_per_s = 0;
  settings.numeric_misses_per_minute = 3;
  vault.set(settings);
  unsigned misses = 0;
  std::string last;
  for (unsigned i = 0; i < 60 && last != "rate_limited"; ++i) {
    std::string guess = "7" + std::to_string(100'000'000'000'000'000U + i * 37);
    last = outcome_name(vault.reveal(guess));
    misses += last == "token_not_found" ? 1 : 0;
  }
  EXPECT_EQ(last, "rate_limited");
  EXPECT_EQ(misses, 3U);
  EXPECT_EQ(outcome_name(vault.reveal(card.token)), "rate_limited");  // a hit can't be told either
  vault.clock.now += 60'000;
  EXPECT_EQ(outcome_name(vault.reveal(card.token)), "ok");
}

TEST(Detokenize, BudgetsHoldAlarmAndFreeze) {
  TestVault vault;
  core::Settings settings;
  settings.rate_per_s = 0;
  settings.reveal = {10, 100, 0};
  vault.set(settings);
  std::vector<std::string> raised;
  vault.services.alarm_raised = [&](std::string_view what) { raised.emplace_back(what); };
  const std::string token = vault.token(kPan, kCustomer);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(outcome_name(vault.reveal(token)), "ok") << i;
  const auto over = vault.reveal(token);
  EXPECT_EQ(outcome_name(over), "reveal_budget_exhausted");
  EXPECT_GT(std::get<core::Failure>(over).retry_after_s, 0U);
  EXPECT_EQ(vault.count_in_log("\"outcome\":\"reveal_budget_80\""), 1U);
  EXPECT_EQ(vault.count_in_log("\"outcome\":\"reveal_budget_100\""), 1U);
  std::string last;
  for (int i = 0; i < 40 && last != "client_frozen"; ++i) last = outcome_name(vault.reveal(token));
  EXPECT_EQ(last, "client_frozen");
  EXPECT_EQ(vault.count_in_log("\"op\":\"alarm\",\"outcome\":\"client_frozen\""), 1U);
  EXPECT_TRUE(
      stored_client(vault, "processor").frozen);  // the effect is durable, not only in memory
  EXPECT_FALSE(stored_client(vault, "web").frozen);
  EXPECT_EQ(raised,
            (std::vector<std::string>{"reveal_budget_80", "reveal_budget_100", "client_frozen"}));
}

// Between the revocation's commit and its arrival in memory a request may still be let in.
TEST(Detokenize, AFreezeKeepsARevocation) {
  TestVault vault;
  core::Settings settings;
  settings.rate_per_s = 0;
  settings.reveal = {2, 100, 0};
  vault.set(settings);
  const std::string token = vault.token(kPan, kCustomer);
  core::Client revoked = *vault.clients.by_id("processor");
  revoked.revoked = true;
  std::promise<void> durable;
  vault.store->committer().submit(std::make_unique<Effect>(
      [&](core::Transaction& tx, core::EventSink&) { return tx.put_client(revoked); },
      [&](const base::Result<core::Receipt>&) { durable.set_value(); }));
  durable.get_future().wait();
  for (int i = 0; i < 10; ++i) static_cast<void>(vault.reveal(token));
  EXPECT_TRUE(stored_client(vault, "processor").revoked);
}

TEST(Detokenize, CardBudgetHoldsPerCard) {
  TestVault vault;
  core::Settings settings;
  settings.rate_per_s = 0;
  settings.reveal = {0, 0, 2};
  vault.set(settings);
  const std::string token = vault.token(kPan, kCustomer);
  const std::string other = vault.token(test_pan(5), kCustomer);
  EXPECT_EQ(outcome_name(vault.reveal(token)), "ok");
  EXPECT_EQ(outcome_name(vault.reveal(token)), "ok");
  EXPECT_EQ(outcome_name(vault.reveal(token)), "reveal_budget_exhausted");
  EXPECT_EQ(outcome_name(vault.reveal(other)), "ok");
}

// Somebody with the database but not the keys edits it.
class TamperedRow : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(TamperedRow, DoesNotDecrypt) {
  TestVault vault;
  const std::string token = vault.token(kPan, kCustomer);
  vault.clock.now += 1;  // tokens in order, so that SQLite updates this card first
  vault.token(test_pan(7), "+77010000007");
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((vault.dir / "vault.db").c_str(), &db), SQLITE_OK);
  sqlite3_busy_timeout(db, 10'000);  // the vault may be at a checkpoint
  ASSERT_EQ(sqlite3_exec(db, GetParam().second, nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(db);
  ASSERT_GT(sqlite3_changes(db), 0);
  sqlite3_close(db);
  EXPECT_EQ(outcome_name(vault.reveal(token)), "record_damaged");
  EXPECT_EQ(vault.count_in_log("\"outcome\":\"record_damaged\""), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Table, TamperedRow,
    testing::Values(std::pair{"CiphertextSwapped",
                              "UPDATE cards SET (ciphertext, iv) = (SELECT c.ciphertext, c.iv FROM "
                              "cards c WHERE c.token != cards.token)"},
                    std::pair{"CustomerMoved", "UPDATE cards SET customer = 3 - customer"}),
    [](const auto& param) { return param.param.first; });

TEST(DamagedRow, IsRefusedWithoutStoppingAnybodyElse) {
  TestVault vault;
  vault.token(kPan, kCustomer);
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((vault.dir / "vault.db").c_str(), &db), SQLITE_OK);
  sqlite3_busy_timeout(db, 10'000);  // the vault may be at a checkpoint
  ASSERT_EQ(sqlite3_exec(db, "UPDATE cards SET customer_id = x'00'", nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);
  EXPECT_EQ(outcome_name(vault.tokenize(kPan, kCustomer)), "record_damaged");
  EXPECT_EQ(outcome_name(vault.tokenize(kPan, kCustomer, "2029-12")), "record_damaged");
  EXPECT_EQ(outcome_name(vault.tokenize(test_pan(3), kCustomer)), "ok");
  EXPECT_TRUE(vault.store->committer().state());
  EXPECT_EQ(vault.count_in_log("store.recovered"), 0U);  // it was never latched
}

TEST(CardsSearch, ListsACustomersCardsMasked) {
  TestVault vault;
  vault.token(kPan, kCustomer);
  vault.clock.now += 1;  // by creation: within a millisecond the order is by chance
  vault.token("5555555555554444", kCustomer);
  vault.token(test_pan(9), "+77010000000");
  core::CardsSearch search;
  search.customer = base::SecretText(kCustomer);
  const auto answer = vault.call(TestVault::kWeb, std::move(search));
  const auto& cards = std::get<core::SearchAnswer>(answer).cards;
  ASSERT_EQ(cards.size(), 2U);
  EXPECT_EQ(cards[0].masked, "411111******1111");
  EXPECT_EQ(cards[1].last4, "4444");
}

TEST(CardsSearch, PagesThroughMany) {
  TestVault vault;
  core::Settings settings;
  settings.rate_per_s = 0;
  settings.cards_per_customer = settings.pan_budget_day = settings.pan_budget_month = 0;
  vault.set(settings);
  core::Tokenize batch;
  batch.batch = true;
  for (unsigned i = 0; i < 230; ++i) batch.items.push_back(item(test_pan(i), kCustomer));
  static_cast<void>(vault.call(TestVault::kWeb, std::move(batch)));
  std::size_t seen = 0;
  std::string after;
  do {
    core::CardsSearch search;
    search.customer = base::SecretText(kCustomer);
    search.after = after;
    auto answer = vault.call(TestVault::kWeb, std::move(search));
    seen += std::get<core::SearchAnswer>(answer).cards.size();
    after = std::get<core::SearchAnswer>(answer).next;
  } while (!after.empty());
  EXPECT_EQ(seen, 230U);
}

TEST(RateLimit, RefusesAheadOfHsmAndDisk) {
  TestVault vault;
  core::Settings settings;
  settings.rate_per_s = 1;
  vault.set(settings);
  std::uint64_t calls = 0, events = 0;
  std::string last;
  for (int i = 0; i < 3000 && last != "rate_limited"; ++i) {
    if (outcome_name(vault.call(TestVault::kWeb, core::Whoami{})) != "rate_limited") continue;
    calls = vault.crypto.calls();
    events = vault.store->next_seq();
    last = outcome_name(vault.tokenize(kPan, kCustomer));  // unless a second has just passed
  }
  EXPECT_EQ(last, "rate_limited");
  EXPECT_EQ(vault.crypto.calls(), calls);
  EXPECT_EQ(vault.store->next_seq(), events);
  const auto floods = vault.floods.take(1);
  ASSERT_FALSE(floods.empty());
  EXPECT_EQ(floods.front().actor, "client:web");
}

}  // namespace
}  // namespace cardvault::daemon
