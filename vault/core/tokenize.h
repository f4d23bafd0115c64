// tokenize: card numbers in, tokens out. Prepared in tokenize.cc, decided in tokenize_plan.cc,
// carried out in tokenize_apply.cc.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "vault/core/card_check.h"
#include "vault/core/idempotent.h"
#include "vault/core/index_fingerprints.h"
#include "vault/core/operation.h"

namespace cardvault::core {

// What a repeat does (same customer, same PAN; docs/api.md "Repeats"): the token is the same, its
// format stays what it first was; an expiry that is given replaces the stored one; the longer life
// wins (no ttl: forever); metadata that is given replaces the stored. A frozen card stays frozen.
//
// Exact under concurrency, because decided alone in apply(): the card limit, the budget of distinct
// new or refused PANs (charged before the look-up's outcome can be seen, not refunded), and one
// token per customer and PAN.
//
// No time may tell what an answer must not: of a customer who gets no answer about cards, frozen or
// over the budget, no card is looked up, and none is prepared differently for being known. So
// apply() plans all items, charges included, before it writes or asks for another preparation.
class TokenizeOperation final : public Operation {
 public:
  TokenizeOperation(Services& services, Authorized<Tokenize> request);

  void prepare(Reader& reader) override;
  [[nodiscard]] bool has_effect() const override { return true; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  // What is done about an item: answered with a failure alone; refused, which is charged and
  // remembered; stored as a new card, or found stored already (maybe by an item before it).
  struct Refusal {
    Failure failure;
  };
  struct Insert {
    std::optional<CardRow> ended;  // of the same PAN, whose life is over: makes room
  };
  struct Repeat {
    TokenId card;
  };
  using Plan = std::variant<Failure, Refusal, Insert, Repeat>;
  struct Item {
    std::optional<Failure> failure;  // final, decided in prepare
    bool chargeable = false;         // a valid PAN that the policy refused: charged, then refused
    std::optional<CheckedCard> card;
    IndexFingerprints fps;
    bool anonymous = false;
    CustomerRow customer;            // as it would be inserted; of a known one row, id and name_fp
    std::optional<CardRow> fresh;    // the row to insert
    std::optional<CardRow> renewed;  // the existing row with its new expiry sealed in
    Plan plan;                       // apply()
  };
  // A customer of this request while it is applied: the row as the items so far leave it.
  struct Applied {
    CustomerRow row;
    bool stored = false;   // is in the table
    bool changed = false;  // differs from the table
    // By PAN: the cards that the items so far are about, and the refusals that they are charged
    // for.
    std::map<Fingerprint, TokenId> cards;
    std::set<Fingerprint> refused;
    std::size_t inserts = 0;
  };

  void prepare_item(Reader& reader, std::size_t at);
  base::Result<void> seal_item(Reader& reader, std::size_t at);
  base::Result<void> find_customer(Reader& reader, const TokenizeItem& request, Item& item);
  base::Result<void> make_row(const TokenizeItem& request, Item& item);
  base::Result<void> renew_row(Item& item, CardRow row);
  void record_whole(EventSink& events);
  // tokenize_plan.cc: reads only. kConflict when what was prepared doesn't fit.
  [[nodiscard]] base::Result<void> plan(Transaction& tx);
  [[nodiscard]] base::Result<Plan> plan_item(Transaction& tx, std::size_t at);
  [[nodiscard]] base::Result<Applied*> customer_of(Transaction& tx, const Item& item);
  [[nodiscard]] base::Result<Plan> plan_card(Transaction& tx, std::size_t at, Applied& customer);
  [[nodiscard]] base::Result<Plan> plan_insert(Transaction& tx, Item& item, Applied* customer,
                                               Insert insert);
  [[nodiscard]] base::Result<Plan> plan_refusal(Transaction& tx, const Item& item,
                                                Applied& customer, Failure failure);
  [[nodiscard]] base::Result<Plan> plan_repeat(std::size_t at, const CardRow& stored);
  [[nodiscard]] base::Result<bool> at_card_limit(Transaction& tx, const Applied& customer);
  // tokenize_apply.cc
  [[nodiscard]] base::Result<TokenizeOutcome> carry_out(Transaction& tx,
                                                        const TokenizeItem& request, Item& item,
                                                        Event& event, EventSink& events);
  [[nodiscard]] base::Result<TokenizeOutcome> refuse(Transaction& tx, Applied& customer,
                                                     const Item& item, Failure failure);
  [[nodiscard]] base::Result<TokenizeOutcome> insert(Transaction& tx, Applied* customer, Item& item,
                                                     Event& event, EventSink& events);
  [[nodiscard]] base::Result<TokenizeOutcome> repeat(Transaction& tx, const TokenizeItem& request,
                                                     Item& item, Event& event);
  [[nodiscard]] base::Result<void> store_customer(Transaction& tx, Applied& customer);
  void committed() override;
  [[nodiscard]] Answer take_answer() override;

  Authorized<Tokenize> request_in_;
  std::shared_ptr<const Settings> settings_;
  std::vector<Item> items_;
  std::map<Fingerprint, CustomerRow> customers_;  // prepare(): of this batch
  std::map<Fingerprint, Applied> applied_;        // apply(): the same
  std::int64_t now_ms_ = 0;                       // apply(): one moment for all that it decides
  // The first try takes a card for new, which most are, and a customer from the cache: no look-up
  // on a reader whose page cache the last commit has emptied. After a conflict customers are looked
  // for in the store, and of cards those that the plan found to be repeats with another expiry.
  bool look_first_ = false;
  std::set<std::size_t> renewals_;  // their items
  Idempotent idempotent_;
  std::optional<Failure> whole_failure_;
  Answer answer_;
  std::optional<Answer> replayed_;
};

}  // namespace cardvault::core
