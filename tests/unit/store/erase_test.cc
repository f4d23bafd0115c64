#include <algorithm>
#include <fstream>
#include <random>
#include <thread>

#include "tests/unit/store/store_fixture.h"

namespace cardvault::store {
namespace {

class StoreErase : public StoreTest {
 protected:
  // How many of the needles are in any of the vault's files. A checkpoint moves pages from a WAL to
  // its database and never back: read in that order, none can be missed on its way.
  [[nodiscard]] std::size_t found(const std::vector<std::string>& needles) const {
    std::vector<std::filesystem::path> wals, others;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      (entry.path().string().ends_with("-wal") ? wals : others).push_back(entry.path());
    }
    std::string all;
    for (const auto* paths : {&wals, &others}) {
      for (const auto& path : *paths) {
        std::ifstream file(path, std::ios::binary);
        all.append(std::istreambuf_iterator<char>(file), {});
      }
    }
    return static_cast<std::size_t>(std::count_if(
        needles.begin(), needles.end(),
        [&](const std::string& needle) { return all.find(needle) != std::string::npos; }));
  }
  // Within two seconds on a machine that is idle.
  [[nodiscard]] bool soon_gone(const std::vector<std::string>& needles) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (found(needles) != 0) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return true;
  }
  // Cards with random ciphertexts, so that each can be told from all others.
  std::vector<core::CardRow> store_cards(std::uint64_t count) {
    std::mt19937 random(7);
    std::vector<core::CardRow> cards;
    for (std::uint64_t n = 0; n < count; ++n) {
      cards.push_back(card_row(n, 0));
      for (auto& byte : cards.back().sealed.ciphertext) byte = static_cast<std::uint8_t>(random());
    }
    for (std::size_t i = 0; i < cards.size(); i += 50) {
      EXPECT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) -> base::Result<void> {
        for (std::size_t j = i; j < std::min(i + 50, cards.size()); ++j) {
          if (auto done = tx.insert_card(cards[j]); !done) return done;
        }
        return {};
      }));
    }
    return cards;
  }
  void delete_card(const core::CardRow& card) {
    EXPECT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) { return tx.delete_card(card); }));
  }
  static std::string needle(const core::CardRow& card) {
    return {card.sealed.ciphertext.begin(), card.sealed.ciphertext.end()};
  }
};

TEST_F(StoreErase, DeletedCardsBytesAreSoonInNoFile) {
  open();
  const auto cards = store_cards(3000);
  std::vector<std::string> deleted, kept;
  for (std::size_t i = 0; i < cards.size(); ++i) {
    (i % 30 == 7 ? deleted : kept).push_back(needle(cards[i]));
  }
  EXPECT_EQ(found(deleted), deleted.size());
  for (std::size_t i = 7; i < cards.size(); i += 30) delete_card(cards[i]);
  EXPECT_TRUE(soon_gone(deleted));
  EXPECT_EQ(found(kept), kept.size());
}

TEST_F(StoreErase, DeletedCodesAndSecretsAndReplacedSecretsAreSoonInNoFile) {
  open();
  std::mt19937 random(11);
  const auto fill = [&random](auto& bytes) {
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    return std::string(bytes.begin(), bytes.end());
  };
  const auto subject = add_customer(1);
  core::CodeRow spent = code_row(subject, "a"), ended = code_row(subject, "b"),
                voided = code_row(subject, "c");
  ended.expires_ms = 5;
  core::SecretRow removed = secret_row(subject, core::SecretKind::kPassword),
                  changed = secret_row(subject, core::SecretKind::kQuickCode);
  std::vector<std::string> gone = {fill(spent.mac), fill(ended.mac),
                                   fill(removed.sealed.ciphertext),
                                   fill(changed.sealed.ciphertext)};
  const std::string last = fill(voided.mac);
  const auto change = [&](const std::function<base::Result<void>(core::Transaction&)>& apply) {
    EXPECT_TRUE(write(*store_, [&](core::Transaction& tx, auto&) { return apply(tx); }));
  };
  for (const auto& code : {spent, ended, voided}) {
    change([&](core::Transaction& tx) { return tx.put_code(code); });
  }
  for (const auto& secret : {removed, changed}) {
    change([&](core::Transaction& tx) { return tx.put_secret(secret); });
  }
  EXPECT_EQ(found(gone), gone.size());
  fill(changed.sealed.ciphertext);
  change([&](core::Transaction& tx) -> base::Result<void> {
    if (auto done = tx.delete_code(subject, "a"); !done) return done;
    if (auto swept = tx.delete_ended_codes(6, 10); !swept) return std::unexpected(swept.error());
    if (auto done = tx.delete_secret(subject, removed.kind); !done) return done;
    return tx.put_secret(changed);
  });
  EXPECT_TRUE(soon_gone(gone));
  EXPECT_EQ(found({last}), 1U);
  change([](core::Transaction& tx) { return tx.delete_all_codes(); });
  EXPECT_TRUE(soon_gone({last}));
}

TEST_F(StoreErase, WorksBesideCommitsAndReaders) {
  open();
  const auto cards = store_cards(200);
  std::atomic<bool> stop = false;
  std::thread load([&] {
    for (std::uint64_t n = 100'000; !stop; ++n) {
      EXPECT_TRUE(write(
          *store_, [n](core::Transaction& tx, auto&) { return tx.insert_card(card_row(n, 0)); }));
    }
  });
  std::thread lookups([&] {
    const auto reader = store_->make_reader().value();
    while (!stop) {
      EXPECT_TRUE(reader->begin());
      for (int i = 0; i < 50; ++i) EXPECT_TRUE(reader->card(cards[0].id).value().has_value());
      reader->end();
    }
  });
  delete_card(cards[100]);
  EXPECT_TRUE(soon_gone({needle(cards[100])}));
  stop = true;
  load.join();
  lookups.join();
}

TEST_F(StoreErase, HeldSnapshotDelaysItButNotForever) {
  open();
  const auto cards = store_cards(20);
  auto old_snapshot = store_->make_reader().value();
  ASSERT_TRUE(old_snapshot->begin());
  ASSERT_TRUE(old_snapshot->card(cards[0].id).value());  // holds the WAL back
  delete_card(cards[3]);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_EQ(found({needle(cards[3])}), 1U);
  old_snapshot.reset();
  EXPECT_TRUE(soon_gone({needle(cards[3])}));
}

TEST_F(StoreErase, IdleWalIsEmptied) {
  StoreOptions options;
  options.checkpoint_idle = std::chrono::milliseconds(100);
  open(options);
  ASSERT_TRUE(record(*store_, "x").get());
  const auto wal = dir_.path() / "reveal.db-wal";
  for (int i = 0; i < 6000 && std::filesystem::file_size(wal) != 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(std::filesystem::file_size(wal), 0U);
}

TEST_F(StoreErase, WalStaysBoundedUnderLoad) {
  StoreOptions options;
  options.checkpoint_pages = 100;
  open(options);
  constexpr std::uint64_t kCommits = 3000;  // some 20,000 pages, were the WAL never begun anew
  for (std::uint64_t n = 0; n < kCommits; ++n) {
    ASSERT_TRUE(write(
        *store_, [n](core::Transaction& tx, auto&) { return tx.insert_card(card_row(n, 0)); }));
  }
  // How far commits run ahead of a checkpoint depends on the disk: only the order is certain.
  EXPECT_LT(std::filesystem::file_size(dir_.path() / "vault.db-wal"), 2 * kCommits * 4096);
}

}  // namespace
}  // namespace cardvault::store
