// Rows by the key they stand under, and their move to another.
#include "tests/unit/store/store_fixture.h"

namespace cardvault::store {
namespace {

using base::Code;
using core::KeyPurpose;
using core::KeyRef;

constexpr KeyRef kPanEnc1{KeyPurpose::kPanEnc, 1};
constexpr KeyRef kPanIndex1{KeyPurpose::kPanIndex, 1};
constexpr KeyRef kPanIndex2{KeyPurpose::kPanIndex, 2};

class StoreKeyRows : public StoreTest {
 protected:
  void SetUp() override {
    open();
    customer_ = add_customer(1);
  }
  void must_write(const std::function<base::Result<void>(core::Transaction&)>& effect) {
    const auto done =
        write(*store_, [&](core::Transaction& tx, core::EventSink&) { return effect(tx); });
    ASSERT_TRUE(done) << done.error().operation;
  }
  core::CardRow add_card(std::uint64_t n, std::int64_t customer) {
    const core::CardRow row = card_row(n, customer);
    must_write([&](core::Transaction& tx) { return tx.insert_card(row); });
    return row;
  }
  // What move_card() said: "moved", "not as it was", or the error's name.
  std::string move(const core::CardRow& was, const core::CardRow& now) {
    std::string said;
    must_write([&](core::Transaction& tx) -> base::Result<void> {
      const auto moved = tx.move_card(was, now);
      said = !moved ? std::string(base::code_name(moved.error().code))
                    : (*moved ? "moved" : "not as it was");
      return {};
    });
    return said;
  }
  static core::CardRow resealed(core::CardRow row) {
    row.key_version = 2;
    row.sealed.iv.assign(12, 0x77);
    row.sealed.ciphertext.assign(34, 0x78);
    return row;
  }
  static core::CardRow reindexed(core::CardRow row, std::uint64_t fp) {
    row.fp = numbered<16>(fp, 9);
    row.fp_version = 2;
    return row;
  }
  std::int64_t customer_ = 0;
};

TEST_F(StoreKeyRows, CardsAreFoundUnderEachOfTheirKeysInSlices) {
  std::vector<core::TokenId> ids;
  for (std::uint64_t n = 1; n <= 5; ++n) ids.push_back(add_card(n, n == 3 ? 0 : customer_).id);
  EXPECT_EQ(reader_->cards_under(kPanEnc1, {}, 2).value(),
            (std::vector<core::TokenId>{ids[0], ids[1]}));
  EXPECT_EQ(reader_->cards_under(kPanIndex1, ids[1], 9).value(),
            (std::vector<core::TokenId>{ids[2], ids[3], ids[4]}));
  EXPECT_TRUE(reader_->cards_under(kPanEnc1, ids[4], 9).value().empty());
  EXPECT_TRUE(reader_->cards_under({KeyPurpose::kPanEnc, 2}, {}, 9).value().empty());
  EXPECT_EQ(reader_->key_use(kPanEnc1).value().rows, 5U);
  EXPECT_EQ(reader_->key_use(kPanIndex1).value().rows, 5U);
  EXPECT_EQ(reader_->key_use(kPanIndex2).value().rows, 0U);
}

TEST_F(StoreKeyRows, AMovedCardHasItsNewCiphertextAndNothingElseNew) {
  const core::CardRow was = add_card(1, customer_);
  core::CardRow now = resealed(was);
  now.last4 = "9999";  // not its business
  EXPECT_EQ(move(was, now), "moved");
  const auto row = reader_->card(was.id).value();
  EXPECT_EQ(row->sealed.ciphertext, now.sealed.ciphertext);
  EXPECT_EQ(row->sealed.iv, now.sealed.iv);
  EXPECT_EQ(row->key_version, 2U);
  EXPECT_EQ(row->fp, was.fp);
  EXPECT_EQ(row->last4, was.last4);
  EXPECT_EQ(reader_->key_use(kPanEnc1).value().rows, 0U);
  EXPECT_EQ(move(was, now), "not as it was") << "once";
}

TEST_F(StoreKeyRows, ACardChangedMeanwhileStaysAsItIs) {
  const core::CardRow was = add_card(1, customer_);
  core::CardRow changed = was;
  changed.sealed.iv.assign(12, 0x11);
  changed.sealed.ciphertext.assign(34, 0x12);
  must_write([&](core::Transaction& tx) { return tx.update_card(changed); });
  EXPECT_EQ(move(was, resealed(was)), "not as it was");
  EXPECT_EQ(reader_->card(was.id).value()->sealed.ciphertext, changed.sealed.ciphertext);
  must_write([&](core::Transaction& tx) { return tx.delete_card(was); });
  EXPECT_EQ(move(changed, resealed(changed)), "not as it was") << "and a deleted one is gone";
  EXPECT_FALSE(reader_->card(was.id).value());
}

TEST_F(StoreKeyRows, AMovedFingerprintIsFoundInTheIndexAndTheOldOneIsNot) {
  const core::CardRow was = add_card(1, customer_);
  const core::CardRow now = reindexed(was, 7);
  EXPECT_EQ(move(was, now), "moved");
  EXPECT_EQ(reader_->card_of(customer_, now.fp).value(), was.id);
  EXPECT_FALSE(reader_->card_of(customer_, was.fp).value());
  EXPECT_EQ(reader_->count_cards(customer_).value(), 1U);
  EXPECT_EQ(reader_->key_use(kPanIndex1).value().rows, 0U);
  // What is deleted later goes from the index too.
  must_write([&](core::Transaction& tx) { return tx.delete_card(now); });
  EXPECT_EQ(reader_->count_cards(customer_).value(), 0U);
}

TEST_F(StoreKeyRows, ATakenFingerprintMovesNothing) {
  const core::CardRow was = add_card(1, customer_);
  const core::CardRow other = reindexed(card_row(2, customer_), 7);
  must_write([&](core::Transaction& tx) { return tx.insert_card(other); });
  EXPECT_EQ(move(was, reindexed(was, 7)), "already_exists");
  EXPECT_EQ(reader_->card(was.id).value()->fp, was.fp);
  EXPECT_EQ(reader_->card(was.id).value()->fp_version, 1U);
  EXPECT_EQ(reader_->card_of(customer_, was.fp).value(), was.id);
}

TEST_F(StoreKeyRows, ACardWithoutItsIndexIsDamagedAndStays) {
  const core::CardRow was = add_card(1, customer_);
  close();
  run_sql("vault.db", "DELETE FROM card_index");
  open();
  EXPECT_EQ(move(was, reindexed(was, 7)), "record_damaged");
  EXPECT_EQ(reader_->card(was.id).value()->fp, was.fp);
}

TEST_F(StoreKeyRows, CustomersMoveUnderBothTheirKeys) {
  const core::CustomerRow was = reader_->customer_by_row(customer_).value().value();
  EXPECT_EQ(reader_->customers_under({KeyPurpose::kIdEnc, 1}, 0, 9).value(),
            std::vector<std::int64_t>{customer_});
  core::CustomerRow now = was;
  now.name_fp = numbered<16>(5, 8);
  now.name_fp_version = 2;
  now.name.iv.assign(12, 0x71);
  now.name_key_version = 3;
  now.frozen = true;  // not its business
  must_write([&](core::Transaction& tx) -> base::Result<void> {
    EXPECT_TRUE(tx.move_customer(was, now).value());
    EXPECT_FALSE(tx.move_customer(was, now).value());
    return {};
  });
  EXPECT_FALSE(reader_->customer(was.name_fp).value());
  const auto row = reader_->customer(now.name_fp).value();
  EXPECT_EQ(row->name.iv, now.name.iv);
  EXPECT_EQ(row->name_key_version, 3U);
  EXPECT_FALSE(row->frozen);
  EXPECT_TRUE(reader_->customers_under({KeyPurpose::kIdIndex, 1}, 0, 9).value().empty());
  const std::int64_t second = add_customer(2);
  const core::CustomerRow other = reader_->customer_by_row(second).value().value();
  core::CustomerRow taken = other;
  taken.name_fp = now.name_fp;
  must_write([&](core::Transaction& tx) -> base::Result<void> {
    const auto moved = tx.move_customer(other, taken);
    EXPECT_FALSE(moved);
    if (!moved) {
      EXPECT_EQ(moved.error().code, Code::kAlreadyExists);
    }
    return {};
  });
  EXPECT_TRUE(reader_->customer(other.name_fp).value());
}

TEST_F(StoreKeyRows, SecretsMoveAndSlicesMayCutASubjectInTwo) {
  const auto password = secret_row(customer_, core::SecretKind::kPassword);
  const auto quick = secret_row(customer_, core::SecretKind::kQuickCode);
  must_write([&](core::Transaction& tx) -> base::Result<void> {
    if (auto ok = tx.put_secret(password); !ok) return ok;
    return tx.put_secret(quick);
  });
  const KeyRef key{KeyPurpose::kSecretEnc, 1};
  const auto first = reader_->secrets_under(key, {}, 1).value();
  ASSERT_EQ(first.size(), 1U);
  const auto rest = reader_->secrets_under(key, first[0], 9).value();
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_NE(first[0].kind, rest[0].kind);
  core::SecretRow now = password;
  now.sealed.iv.assign(12, 0x71);
  now.key_version = 2;
  must_write([&](core::Transaction& tx) -> base::Result<void> {
    EXPECT_TRUE(tx.move_secret(password, now).value());
    EXPECT_FALSE(tx.move_secret(password, now).value());
    return {};
  });
  EXPECT_EQ(reader_->key_use(key).value().rows, 1U);
}

TEST_F(StoreKeyRows, WhatEndsByItselfIsCountedApart) {
  must_write([&](core::Transaction& tx) -> base::Result<void> {
    if (auto ok = tx.put_code(code_row(customer_, "verify_login")); !ok) return ok;
    core::IdempotencyRow answer;
    answer.fp_version = 1;
    return tx.put_idempotency("web", "1:00", answer);
  });
  const auto codes = reader_->key_use({KeyPurpose::kOtpMac, 1}).value();
  EXPECT_EQ(codes.rows, 0U);
  EXPECT_EQ(codes.passing, 1U);
  const auto names = reader_->key_use({KeyPurpose::kIdIndex, 1}).value();
  EXPECT_EQ(names.rows, 1U);
  EXPECT_EQ(names.passing, 1U);
  EXPECT_EQ(reader_->key_use({KeyPurpose::kSealSign, 1}).value().rows, 0U);
}

}  // namespace
}  // namespace cardvault::store
