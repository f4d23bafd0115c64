// Rotation of every key under the engine, and the move of rows to the active version.
#include "vault/core/rewrap.h"

#include <gtest/gtest.h>

#include <array>
#include <latch>
#include <set>
#include <thread>

#include "tests/unit/daemon/by_hand.h"
#include "tests/unit/daemon/secret_calls.h"
#include "vault/core/index_fingerprints.h"
#include "vault/core/record.h"

namespace cardvault::daemon {
namespace {

using base::Code;
using core::KeyPurpose;
using core::KeyRef;

constexpr std::string_view kCard = "4111111111111111";
constexpr std::string_view kCustomer = "77010000001";

class RotatingVault : public SecretVault {
 public:
  // Version 2 becomes the active one, between two groups, as the vault does it.
  void rotate(KeyPurpose purpose, std::uint32_t version = 2) {
    crypto.add_key({purpose, version});
    std::promise<void> set;
    store->committer().submit(std::make_unique<Effect>(
        [](core::Transaction&, core::EventSink&) -> base::Result<void> { return {}; },
        [&](const base::Result<core::Receipt>&) {
          invocations.reserved({purpose, version}, core::kInvocationBlock);
          std::vector<std::uint32_t> earlier;
          for (std::uint32_t one = version; --one != 0;) earlier.push_back(one);
          keys.set({purpose, version}, earlier);
          set.set_value();
        }));
    set.get_future().wait();
  }
  std::uint64_t rows_under(KeyRef key) { return (*store->make_reader())->key_use(key)->rows; }
  // One pass: rows moved, and those that could not be.
  struct Passed {
    std::uint64_t moved = 0;
    std::vector<std::string> damaged;
  };
  Passed rewrap(KeyRef from, std::uint32_t limit = 3) {
    Passed passed;
    core::RewrapPosition position;
    for (;;) {
      auto reader = *store->make_reader();
      auto slice = core::RewrapSlice::prepare(services, *reader, from, position, limit);
      EXPECT_TRUE(slice);
      if (!slice || slice->rows() == 0) return passed;
      passed.moved += apply(*slice);
      for (const auto& name : slice->damaged()) passed.damaged.push_back(name);
    }
  }
  std::uint32_t apply(core::RewrapSlice& slice) {
    std::uint32_t moved = 0;
    write([&](core::Transaction& tx) -> base::Result<void> {
      moved = slice.apply(services, tx).value();
      return {};
    });
    return moved;
  }
  core::RewrapSlice prepare(KeyRef from) {
    core::RewrapPosition position;
    auto reader = *store->make_reader();
    return core::RewrapSlice::prepare(services, *reader, from, position, 100).value();
  }
  std::string pan_of(const std::string& token) {
    const auto revealed = reveal(token);
    EXPECT_EQ(outcome_name(revealed), "ok");
    const auto* card = std::get_if<core::Revealed>(&revealed);
    return card != nullptr ? std::string(card->pan.expose()) : "";
  }
};

TEST(Rewrap, NewRowsAreUnderTheNewKeyAndOldOnesOpenAsBefore) {
  RotatingVault vault;
  const std::string before = vault.token(kCard, kCustomer);
  vault.rotate(KeyPurpose::kPanEnc);
  const std::string after = vault.token(test_pan(5), kCustomer);
  EXPECT_EQ(vault.rows_under({KeyPurpose::kPanEnc, 1}), 1U);
  EXPECT_EQ(vault.rows_under({KeyPurpose::kPanEnc, 2}), 1U);
  EXPECT_EQ(vault.pan_of(before), kCard);
  EXPECT_EQ(vault.pan_of(after), test_pan(5));
}

TEST(Rewrap, MovesEveryCardAndTheOldKeyIsNotNeededAnyMore) {
  RotatingVault vault;
  std::vector<std::string> tokens;
  for (unsigned n = 0; n < 10; ++n) {
    tokens.push_back(vault.token(test_pan(n), "7701000" + std::to_string(n / 4)));
  }
  vault.rotate(KeyPurpose::kPanEnc);
  const auto passed = vault.rewrap({KeyPurpose::kPanEnc, 1});
  EXPECT_EQ(passed.moved, 10U);
  EXPECT_TRUE(passed.damaged.empty());
  vault.crypto.remove_key({KeyPurpose::kPanEnc, 1});
  for (unsigned n = 0; n < 10; ++n) EXPECT_EQ(vault.pan_of(tokens[n]), test_pan(n));
  EXPECT_EQ(vault.rewrap({KeyPurpose::kPanEnc, 1}).moved, 0U) << "and nothing twice";
}

TEST(Rewrap, AllKindsOfRowsMoveAndGoOnWorking) {
  RotatingVault vault;
  const std::string token = vault.token(kCard, kOwner);
  EXPECT_EQ(vault.enroll(), "ok");
  const std::array purposes = {KeyPurpose::kPanEnc, KeyPurpose::kPanIndex, KeyPurpose::kIdIndex,
                               KeyPurpose::kIdEnc, KeyPurpose::kSecretEnc};
  for (const KeyPurpose purpose : purposes) vault.rotate(purpose);
  for (const KeyPurpose purpose : purposes) {
    EXPECT_EQ(vault.rewrap({purpose, 1}).moved, 1U) << core::key_purpose_name(purpose);
    EXPECT_EQ(vault.rows_under({purpose, 1}), 0U);
    vault.keys.set({purpose, 2});  // retired: look-ups try it no more
    vault.crypto.remove_key({purpose, 1});
  }
  EXPECT_EQ(vault.check(kPassword), "verified");
  EXPECT_EQ(vault.token(kCard, kOwner), token) << "the same card of the same customer";
  EXPECT_EQ(vault.pan_of(token), kCard);
}

TEST(Rewrap, CardsAndCustomersAreFoundUnderEitherIndexKey) {
  RotatingVault vault;
  const std::string old_card = vault.token(kCard, kCustomer);
  vault.rotate(KeyPurpose::kPanIndex);
  vault.rotate(KeyPurpose::kIdIndex);
  EXPECT_EQ(vault.token(kCard, kCustomer), old_card) << "under the old ones";
  const std::string new_card = vault.token(test_pan(1), kCustomer);
  vault.rewrap({KeyPurpose::kPanIndex, 1});
  EXPECT_EQ(vault.token(kCard, kCustomer), old_card) << "moved";
  EXPECT_EQ(vault.token(test_pan(1), kCustomer), new_card);
  vault.rewrap({KeyPurpose::kIdIndex, 1});
  vault.restart();
  EXPECT_EQ(vault.token(kCard, kCustomer), old_card);
  EXPECT_EQ((*vault.store->make_reader())->count_cards(1).value(), 2U);
}

TEST(Rewrap, ARefusedCardIsChargedOnceAcrossARotation) {
  RotatingVault vault;
  vault.change_settings([](core::Settings& settings) { settings.pan_budget_day = 2; });
  constexpr std::string_view kForeign = "4000056655665556";
  EXPECT_EQ(outcome_name(vault.tokenize(kForeign, kCustomer)), "country_refused");
  vault.rotate(KeyPurpose::kPanIndex);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(outcome_name(vault.tokenize(kForeign, kCustomer)), "country_refused");
  }
  EXPECT_EQ(outcome_name(vault.tokenize(kCard, kCustomer)), "ok") << "one charge is left";
}

TEST(Rewrap, AnAnswerKeptBeforeTheRotationIsReplayed) {
  RotatingVault vault;
  const auto send = [&] {
    core::Tokenize request = one(item(kCard, ""));
    request.idempotency_key = "the same key twice";
    core::Answer answer = vault.call(TestVault::kAnonymous, std::move(request));
    auto* tokens = std::get_if<core::TokenizeAnswer>(&answer);
    return tokens != nullptr ? std::get<core::CardView>(tokens->items.at(0)).token : "";
  };
  const std::string first = send();
  vault.rotate(KeyPurpose::kIdIndex);
  EXPECT_EQ(send(), first);
  EXPECT_EQ(vault.rows_under({KeyPurpose::kPanEnc, 1}), 1U);
}

TEST(Rewrap, OpenCodesAreVerifiedByTheKeyTheyWereSealedWith) {
  RotatingVault vault;
  const std::string code = sealed_code(vault, kOwner);
  vault.rotate(KeyPurpose::kOtpMac);
  const std::string payment = sealed_code(vault, kOwner, "change_password");
  EXPECT_EQ(verify(vault, kOwner, code), "verified");
  EXPECT_EQ(verify(vault, kOwner, payment, "change_password"), "verified");
}

// The heart of de-duplication: a rotation in the middle of many tokenizes of the same cards.
TEST(Rewrap, NoCardGetsTwoTokensWhileIndexKeysRotate) {
  RotatingVault vault;
  core::Settings settings = *vault.services.settings.load();
  settings.pan_budget_day = settings.pan_budget_month = settings.cards_per_customer = 0;
  vault.set(settings);
  constexpr unsigned kCards = 40;
  std::array<std::set<std::string>, kCards> tokens;
  std::mutex mutex;
  std::latch begin(5);
  std::atomic<int> failed = 0;
  const auto client = [&](unsigned seed) {
    begin.arrive_and_wait();
    for (unsigned i = 0; i < 6 * kCards; ++i) {
      const unsigned n = (i * 7 + seed) % kCards;
      const auto outcome = vault.tokenize(test_pan(n), "7701" + std::to_string(n / 4));
      if (const auto* card = std::get_if<core::CardView>(&outcome)) {
        const std::scoped_lock lock(mutex);
        tokens[n].insert(card->token);
      } else {
        ++failed;
      }
    }
  };
  {
    std::vector<std::jthread> clients;
    for (unsigned seed : {0U, 11U, 23U, 31U}) clients.emplace_back(client, seed);
    begin.arrive_and_wait();
    for (std::uint32_t version = 2; version <= 4; ++version) {
      vault.rotate(KeyPurpose::kPanIndex, version);
      vault.rotate(KeyPurpose::kIdIndex, version);
      vault.rewrap({KeyPurpose::kPanIndex, version - 1}, 5);
      vault.rewrap({KeyPurpose::kIdIndex, version - 1}, 5);
    }
  }
  EXPECT_EQ(failed, 0) << "nothing fails because a key is rotated";
  for (unsigned n = 0; n < kCards; ++n) EXPECT_EQ(tokens[n].size(), 1U) << n;
  EXPECT_EQ((*vault.store->make_reader())->key_use({KeyPurpose::kPanEnc, 1})->rows, kCards);
}

TEST(Rewrap, AnOperationPreparedWithOldKeysIsPreparedAgain) {
  RotatingVault vault;
  // Between prepare() and apply() of everything that is on its way.
  std::vector<std::jthread> clients;
  for (unsigned n = 0; n < 4; ++n) {
    clients.emplace_back([&, n] {
      for (unsigned i = 0; i < 30; ++i) {
        static_cast<void>(
            vault.token(test_pan(n * 100 + i), "77020" + std::to_string(n * 10 + i / 8)));
      }
    });
  }
  vault.rotate(KeyPurpose::kPanEnc);
  const auto under_old = vault.rows_under({KeyPurpose::kPanEnc, 1});
  clients.clear();
  EXPECT_EQ(vault.rows_under({KeyPurpose::kPanEnc, 1}), under_old)
      << "no row is written under a key that is not active any more";
  EXPECT_EQ(vault.rows_under({KeyPurpose::kPanEnc, 2}), 120 - under_old);
}

TEST(Rewrap, ARowChangedMeanwhileIsLeftToTheNextPass) {
  RotatingVault vault;
  const std::string token = vault.token(kCard, kCustomer);
  vault.rotate(KeyPurpose::kPanEnc);
  core::RewrapSlice slice = vault.prepare({KeyPurpose::kPanEnc, 1});
  EXPECT_EQ(outcome_name(vault.tokenize(kCard, kCustomer, "2030-01")), "ok");  // sealed anew
  EXPECT_EQ(vault.apply(slice), 0U);
  const auto revealed = vault.reveal(token);
  EXPECT_EQ(std::get<core::Revealed>(revealed).expiry, "2030-01") << "nothing is overwritten";
}

TEST(Rewrap, ASlicePreparedForAnotherActiveKeyMovesNothing) {
  RotatingVault vault;
  static_cast<void>(vault.token(kCard, kCustomer));
  vault.rotate(KeyPurpose::kPanEnc, 2);
  core::RewrapSlice slice = vault.prepare({KeyPurpose::kPanEnc, 1});
  vault.rotate(KeyPurpose::kPanEnc, 3);
  EXPECT_EQ(vault.apply(slice), 0U);
  EXPECT_EQ(vault.rewrap({KeyPurpose::kPanEnc, 1}).moved, 1U);
  EXPECT_EQ(vault.rows_under({KeyPurpose::kPanEnc, 3}), 1U);
}

TEST(Rewrap, ADamagedRowIsNamedAndStopsNobodyElse) {
  RotatingVault vault;
  const std::string good = vault.token(kCard, kCustomer);
  const std::string bad = vault.token(test_pan(1), kCustomer);
  vault.write([&](core::Transaction& tx) -> base::Result<void> {
    auto row = tx.card(core::Token::parse(bad)->id()).value().value();
    row.sealed.ciphertext[0] ^= 1;
    return tx.update_card(row);
  });
  vault.rotate(KeyPurpose::kPanEnc);
  const auto passed = vault.rewrap({KeyPurpose::kPanEnc, 1});
  EXPECT_EQ(passed.moved, 1U);
  EXPECT_EQ(passed.damaged, std::vector<std::string>{bad});
  EXPECT_EQ(vault.pan_of(good), kCard);
  EXPECT_EQ(vault.rows_under({KeyPurpose::kPanEnc, 1}), 1U);
}

TEST(Rewrap, AnOutageLeavesThePositionWhereItWas) {
  RotatingVault vault;
  for (unsigned n = 0; n < 3; ++n) static_cast<void>(vault.token(test_pan(n), kCustomer));
  vault.rotate(KeyPurpose::kPanEnc);
  core::RewrapPosition position;
  auto reader = *vault.store->make_reader();
  const KeyRef from{KeyPurpose::kPanEnc, 1};
  vault.crypto.set_down(true);
  const auto failed = core::RewrapSlice::prepare(vault.services, *reader, from, position, 2);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kHsmUnavailable);
  vault.crypto.set_down(false);
  auto slice = core::RewrapSlice::prepare(vault.services, *reader, from, position, 2);
  ASSERT_TRUE(slice);
  EXPECT_EQ(slice->rows(), 2U);
  EXPECT_EQ(vault.apply(*slice), 2U);
}

TEST(Rewrap, ARepeatNeverPutsBackWhatWasSealedUnderAnEarlierKey) {
  RotatingVault vault;
  const std::string token = vault.token(kCard, kCustomer);
  ByHand repeat(vault, TestVault::kWeb, one(item(kCard, kCustomer, "2031-01")));
  repeat.prepare();
  EXPECT_FALSE(repeat.apply());  // the card is known: to be sealed anew
  static_cast<void>(vault.tokenize(kCard, kCustomer, "2031-01"));
  vault.rotate(KeyPurpose::kPanEnc);
  repeat.prepare();  // finds its expiry there already, under version 1
  static_cast<void>(vault.tokenize(kCard, kCustomer, "2029-09"));
  EXPECT_EQ(vault.rows_under({KeyPurpose::kPanEnc, 1}), 0U);
  ASSERT_FALSE(repeat.apply());
  repeat.prepare();
  EXPECT_TRUE(repeat.apply());
  EXPECT_EQ(vault.rows_under({KeyPurpose::kPanEnc, 1}), 0U);
  EXPECT_EQ(std::get<core::Revealed>(vault.reveal(token)).expiry, "2031-01");
}

TEST(Rewrap, WithoutAReservedBlockNothingIsEncrypted) {
  RotatingVault vault;
  static_cast<void>(vault.token(kCard, kCustomer));
  vault.crypto.add_key({KeyPurpose::kPanEnc, 2});
  const std::array<std::uint32_t, 1> earlier = {1};
  vault.keys.set({KeyPurpose::kPanEnc, 2}, earlier);
  core::RewrapPosition position;
  auto reader = *vault.store->make_reader();
  const auto refused =
      core::RewrapSlice::prepare(vault.services, *reader, {KeyPurpose::kPanEnc, 1}, position, 2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kOverloaded);
}

}  // namespace
}  // namespace cardvault::daemon
