#include "tests/unit/store/store_fixture.h"

namespace cardvault::store {
namespace {

using StoreRows = StoreTest;

TEST_F(StoreRows, CardComesBackAsItWent) {
  open();
  core::CardRow card = card_row(1, add_customer(1));
  card.number = 7'000'000'000'000'001'111;
  card.expiry.months = 24335;
  card.expires_ms = 99;
  card.frozen = true;
  card.sealed.suite = core::Suite::kAes256CbcHmacSha256;
  card.metadata = {{"order", "17"}, {"", "\xFF"}};
  ASSERT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) { return tx.insert_card(card); }));

  const auto found = reader_->card(card.id).value().value();
  EXPECT_EQ(found.id, card.id);
  EXPECT_EQ(found.number, card.number);
  EXPECT_EQ(found.customer, card.customer);
  EXPECT_EQ(found.customer_id, card.customer_id);
  EXPECT_EQ(found.sealed.suite, card.sealed.suite);
  EXPECT_EQ(found.sealed.iv, card.sealed.iv);
  EXPECT_EQ(found.sealed.ciphertext, card.sealed.ciphertext);
  EXPECT_EQ(found.key_version, 1U);
  EXPECT_EQ(found.fp, card.fp);
  EXPECT_EQ(found.fp_version, 1U);
  EXPECT_EQ(found.last4, "1111");
  EXPECT_EQ(found.bin, "411111");
  EXPECT_EQ(found.digits, 16);
  EXPECT_EQ(found.brand + found.country + found.currency, "visaKZKZT");
  EXPECT_EQ(found.expiry, card.expiry);
  EXPECT_EQ(found.created_ms, card.created_ms);
  EXPECT_EQ(found.expires_ms, 99);
  EXPECT_TRUE(found.frozen);
  EXPECT_EQ(found.metadata, card.metadata);
  EXPECT_EQ(reader_->numeric(card.number).value(), card.id);
  EXPECT_EQ(reader_->card_of(card.customer, card.fp).value(), card.id);
  EXPECT_EQ(reader_->count_cards(card.customer).value(), 1U);
  EXPECT_EQ(reader_->count_ended_cards(card.customer, 98).value(), 0U);
  EXPECT_EQ(reader_->count_ended_cards(card.customer, 99).value(), 1U);
}

TEST_F(StoreRows, AbsentRowsAreNotErrors) {
  open();
  EXPECT_EQ(reader_->card({}).value(), std::nullopt);
  EXPECT_EQ(reader_->numeric(7).value(), std::nullopt);
  EXPECT_FALSE(reader_->customer({}).value().has_value());
  EXPECT_FALSE(reader_->customer_by_row(1).value().has_value());
  EXPECT_EQ(reader_->card_of(1, {}).value(), std::nullopt);
  EXPECT_EQ(reader_->count_cards(1).value(), 0U);
  EXPECT_TRUE(reader_->cards(1).value().empty());
  EXPECT_FALSE(reader_->pan_refused(1, {}, 0).value());
  EXPECT_FALSE(reader_->idempotency("web", "k").value().has_value());
  EXPECT_TRUE(reader_->clients().value().empty());
  EXPECT_TRUE(reader_->keys().value().empty());
  EXPECT_FALSE(reader_->value("bin_table").value().has_value());
  EXPECT_FALSE(reader_->code(1, "verify_login").value().has_value());
  EXPECT_FALSE(reader_->guard(1, "").value().has_value());
  EXPECT_TRUE(reader_->guards(1).value().empty());
  EXPECT_FALSE(reader_->secret(1, core::SecretKind::kPassword).value().has_value());
  EXPECT_TRUE(reader_->recipients().value().empty());
  EXPECT_TRUE(reader_->canaries().value().empty());
  EXPECT_FALSE(reader_->approval("client.release web").value().has_value());
}

TEST_F(StoreRows, CustomerKeepsIdentityAndUpdatesWindows) {
  open();
  core::CustomerRow row = customer_row(5);
  row.row = add_customer(5);
  row.frozen = true;
  row.day = 20000;
  row.day_used = 3;
  row.month_start = 19990;
  row.month_used = 17;
  ASSERT_TRUE(
      write(*store_, [&](core::Transaction& tx, auto&) { return tx.update_customer(row); }));
  for (const auto& found : {reader_->customer(row.name_fp).value().value(),
                            reader_->customer_by_row(row.row).value().value()}) {
    EXPECT_EQ(found.row, row.row);
    EXPECT_EQ(found.id, row.id);
    EXPECT_EQ(found.name_fp, row.name_fp);
    EXPECT_EQ(found.name_fp_version, 1U);
    EXPECT_EQ(found.name.iv, row.name.iv);
    EXPECT_EQ(found.name.ciphertext, row.name.ciphertext);
    EXPECT_EQ(found.name_key_version, 1U);
    EXPECT_TRUE(found.frozen);
    EXPECT_EQ(found.day, 20000U);
    EXPECT_EQ(found.day_used, 3U);
    EXPECT_EQ(found.month_start, 19990U);
    EXPECT_EQ(found.month_used, 17U);
  }
}

TEST_F(StoreRows, CustomersCardsAreListedInTokenOrderAndAnonymousOnesNowhere) {
  open();
  const auto customer = add_customer(1);
  ASSERT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) -> base::Result<void> {
    for (const std::uint64_t n : {9U, 2U, 5U}) {
      core::CardRow card = card_row(n, customer);
      card.fp = numbered<16>(100 - n, 4);  // not in the order of tokens
      if (auto done = tx.insert_card(card); !done) return done;
    }
    return tx.insert_card(card_row(3, 0));
  }));
  const auto cards = reader_->cards(customer).value();
  ASSERT_EQ(cards.size(), 3U);
  EXPECT_EQ(cards[0].id, card_row(2, 0).id);
  EXPECT_EQ(cards[1].id, card_row(5, 0).id);
  EXPECT_EQ(cards[2].id, card_row(9, 0).id);
  EXPECT_EQ(count_rows("vault.db", "card_index"), 3);
  EXPECT_TRUE(reader_->card(card_row(3, 0).id).value().has_value());
}

TEST_F(StoreRows, UpdateOfACardChangesWhatMayChange) {
  open();
  core::CardRow card = card_row(1, 0);
  ASSERT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) { return tx.insert_card(card); }));
  card.expiry.months = 24400;
  card.sealed.ciphertext.assign(34, 0x55);
  card.key_version = 2;
  card.expires_ms = 1234;
  card.frozen = true;
  card.metadata = {{"a", "b"}};
  ASSERT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) { return tx.update_card(card); }));
  const auto found = reader_->card(card.id).value().value();
  EXPECT_EQ(found.expiry, card.expiry);
  EXPECT_EQ(found.sealed.ciphertext, card.sealed.ciphertext);
  EXPECT_EQ(found.key_version, 2U);
  EXPECT_EQ(found.expires_ms, 1234);
  EXPECT_TRUE(found.frozen);
  EXPECT_EQ(found.metadata, card.metadata);
}

TEST_F(StoreRows, DeleteRemovesEveryTraceOfACard) {
  open();
  core::CardRow card = card_row(1, add_customer(1));
  card.number = 7'000'000'000'000'001'111;
  ASSERT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) { return tx.insert_card(card); }));
  ASSERT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) { return tx.delete_card(card); }));
  for (const char* table : {"cards", "card_index", "numeric"}) {
    EXPECT_EQ(count_rows("vault.db", table), 0) << table;
  }
}

TEST_F(StoreRows, CollidingInsertIsAConflictAndWritesNothing) {
  open();
  const auto customer = add_customer(1);
  core::CardRow first = card_row(1, customer);
  first.number = 7'000'000'000'000'001'111;
  ASSERT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) { return tx.insert_card(first); }));

  core::CardRow same_number = card_row(2, customer), same_pan = card_row(3, customer),
                same_token = card_row(4, customer);
  same_number.number = first.number;
  same_pan.number = 7'000'000'000'000'002'222;
  same_pan.fp = first.fp;
  same_token.number = 7'000'000'000'000'003'333;
  same_token.id = first.id;
  for (const auto& card : {same_number, same_pan, same_token}) {
    const auto written =
        write(*store_, [&](core::Transaction& tx, auto&) { return tx.insert_card(card); });
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, base::Code::kConflict);
  }
  for (const char* table : {"cards", "card_index", "numeric"}) {
    EXPECT_EQ(count_rows("vault.db", table), 1) << table;
  }
  EXPECT_TRUE(store_->committer().state());
}

TEST_F(StoreRows, ChangingACardThatIsGoneIsAConflict) {
  open();
  for (const bool del : {true, false}) {
    const auto written = write(*store_, [&](core::Transaction& tx, auto&) {
      return del ? tx.delete_card(card_row(1, 0)) : tx.update_card(card_row(1, 0));
    });
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, base::Code::kConflict);
  }
}

TEST_F(StoreRows, RefusedPansCountFromTheirLastDay) {
  open();
  const auto customer = add_customer(1);
  const auto fp = numbered<16>(1, 4);
  for (const std::uint32_t day : {100U, 105U}) {
    ASSERT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) {
      return tx.add_refused_pan(customer, fp, day);
    }));
  }
  EXPECT_TRUE(reader_->pan_refused(customer, fp, 105).value());
  EXPECT_FALSE(reader_->pan_refused(customer, fp, 106).value());
  EXPECT_FALSE(reader_->pan_refused(customer, numbered<16>(2, 4), 0).value());
}

TEST_F(StoreRows, ClientsKeysValuesAndIdempotencyAreReplacedAsAWhole) {
  open();
  core::Client client;
  client.id = "web";
  client.spki_sha256 = "00ff";
  client.permissions.bits = 7;
  client.purposes = {"payment", "*"};
  client.rate_per_s = 100;
  client.reveals_per_hour = 5;
  client.reveals_per_day = 6;
  client.created_ms = 42;
  core::KeyRow key{{core::KeyPurpose::kAuditSign, 2}, core::KeyState::kActive, "aabb", 7, 65536};
  core::IdempotencyRow row{numbered<16>(1, 9), 1, {1, 2, 3}, 1000};
  const std::vector<std::uint8_t> value = {9, 8, 7};
  for (const bool again : {false, true}) {
    client.frozen = client.revoked = again;
    key.state = again ? core::KeyState::kDestroyed : core::KeyState::kActive;
    row.fp_version = again ? 2 : 1;
    ASSERT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) -> base::Result<void> {
      if (auto done = tx.put_client(client); !done) return done;
      if (auto done = tx.put_key(key); !done) return done;
      if (auto done = tx.put_idempotency("web", "k1", row); !done) return done;
      return tx.put_value("bin_table", value);
    }));
  }
  const auto clients = reader_->clients().value();
  ASSERT_EQ(clients.size(), 1U);
  EXPECT_EQ(clients[0].id, "web");
  EXPECT_EQ(clients[0].spki_sha256, "00ff");
  EXPECT_EQ(clients[0].san, "");
  EXPECT_EQ(clients[0].permissions.bits, 7U);
  EXPECT_EQ(clients[0].purposes, client.purposes);
  EXPECT_EQ(clients[0].rate_per_s, 100U);
  EXPECT_EQ(clients[0].reveals_per_hour, 5U);
  EXPECT_EQ(clients[0].reveals_per_day, 6U);
  EXPECT_TRUE(clients[0].revoked && clients[0].frozen);
  EXPECT_EQ(clients[0].created_ms, 42);
  const auto keys = reader_->keys().value();
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(keys[0].key, key.key);
  EXPECT_EQ(keys[0].state, core::KeyState::kDestroyed);
  EXPECT_EQ(keys[0].kcv, "aabb");
  EXPECT_EQ(keys[0].invocations_reserved, 65536U);
  const auto found = reader_->idempotency("web", "k1").value().value();
  EXPECT_EQ(found.body_fp, row.body_fp);
  EXPECT_EQ(found.fp_version, 2U);
  EXPECT_EQ(found.answer, row.answer);
  EXPECT_EQ(found.created_ms, 1000);
  EXPECT_EQ(reader_->value("bin_table").value(), value);
}

TEST_F(StoreRows, EndedCardsAreFoundLongestEndedFirst) {
  open();
  ASSERT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) -> base::Result<void> {
    for (std::uint64_t n = 0; n < 5; ++n) {
      core::CardRow card = card_row(n, 0);
      card.expires_ms = n == 0 ? 0 : static_cast<std::int64_t>(1000 - n);
      if (auto done = tx.insert_card(card); !done) return done;
    }
    return {};
  }));
  const auto ended = reader_->expired_cards(999, 2).value();
  ASSERT_EQ(ended.size(), 2U);
  EXPECT_EQ(ended[0].expires_ms, 996);
  EXPECT_EQ(ended[1].expires_ms, 997);
  EXPECT_EQ(reader_->expired_cards(999, 10).value().size(), 3U);
}

TEST_F(StoreRows, OldIdempotencyKeysAndRefusedPansGoWithLaterEffects) {
  open();
  constexpr std::int64_t kDay = 86'400'000;
  const std::int64_t now = 20000 * kDay + 5;
  const auto customer = add_customer(1);
  ASSERT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) -> base::Result<void> {
    for (std::uint64_t n = 0; n < 500; ++n) {
      core::IdempotencyRow row;
      row.created_ms = now - kDay - (n == 0 ? 0 : 1);  // the first one is not past its day
      if (auto done = tx.put_idempotency("web", std::to_string(n), row); !done) return done;
    }
    if (auto done = tx.add_refused_pan(customer, numbered<16>(1, 4), 19968); !done) return done;
    return tx.add_refused_pan(customer, numbered<16>(2, 4), 19969);
  }));
  store_->expire(now);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(write(*store_, [](core::Transaction& tx, auto&) { return tx.put_value("x", {}); }));
    if (i == 0) {
      EXPECT_GE(count_rows("vault.db", "idempotency"), 200);  // a few at a time
    }
  }
  EXPECT_EQ(count_rows("vault.db", "idempotency"), 1);
  EXPECT_EQ(count_rows("vault.db", "refused_pans"), 1);
}

TEST_F(StoreRows, ReaderSeesOneStateWithinATransaction) {
  open();
  ASSERT_TRUE(reader_->begin());
  EXPECT_FALSE(reader_->value("v").value().has_value());
  const std::vector<std::uint8_t> value = {1};
  ASSERT_TRUE(
      write(*store_, [&](core::Transaction& tx, auto&) { return tx.put_value("v", value); }));
  EXPECT_FALSE(reader_->value("v").value().has_value());
  reader_->end();
  reader_->end();
  EXPECT_EQ(reader_->value("v").value(), value);
}

}  // namespace
}  // namespace cardvault::store
