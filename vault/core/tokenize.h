// tokenize: card numbers in, tokens out. Prepared in tokenize.cc, decided in tokenize_apply.cc.
#pragma once

#include <map>
#include <memory>
#include <optional>
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
class TokenizeOperation final : public Operation {
 public:
  TokenizeOperation(Services& services, Authorized<Tokenize> request);

  void prepare(Reader& reader) override;
  [[nodiscard]] bool has_effect() const override { return true; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  struct Item {
    std::optional<Failure> failure;  // final, decided in prepare
    bool chargeable = false;         // a valid PAN that the policy refused: charged, then refused
    std::optional<CheckedCard> card;
    IndexFingerprints fps;
    bool anonymous = false;
    CustomerRow customer;            // as it would be inserted; of a known one row, id and name_fp
    std::optional<CardRow> fresh;    // the row to insert
    std::optional<CardRow> renewed;  // the existing row with its new expiry sealed in
    std::optional<TokenId> known;    // apply(): the customer's card with this PAN, before the batch
  };
  // A customer of this request while it is applied: the row as the items so far have left it.
  struct Applied {
    CustomerRow row;
    bool stored = false;   // is in the table
    bool changed = false;  // differs from the table
  };

  void prepare_item(Reader& reader, const TokenizeItem& request, Item& item);
  base::Result<void> seal_item(Reader& reader, const TokenizeItem& request, Item& item);
  base::Result<void> find_customer(Reader& reader, const TokenizeItem& request, Item& item);
  base::Result<void> make_row(const TokenizeItem& request, Item& item);
  base::Result<void> renew_row(const TokenizeItem& request, Item& item, CardRow row);
  void record_whole(EventSink& events);
  [[nodiscard]] base::Result<void> load(Transaction& tx);
  [[nodiscard]] base::Result<void> load_item(Transaction& tx, const TokenizeItem& request,
                                             Item& item);
  [[nodiscard]] base::Result<TokenizeOutcome> decide(Transaction& tx, const TokenizeItem& request,
                                                     Item& item, Event& event);
  [[nodiscard]] base::Result<TokenizeOutcome> refuse(Transaction& tx, Applied& customer,
                                                     const Item& item, Failure failure);
  [[nodiscard]] base::Result<TokenizeOutcome> insert(Transaction& tx, Applied* customer, Item& item,
                                                     Event& event);
  [[nodiscard]] base::Result<TokenizeOutcome> repeat(Transaction& tx, const TokenizeItem& request,
                                                     Item& item, CardRow existing);
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
  // on a reader whose page cache the last commit has emptied. A conflict looks first.
  bool look_first_ = false;
  Idempotent idempotent_;
  std::optional<Failure> whole_failure_;
  Answer answer_;
  std::optional<Answer> replayed_;
};

}  // namespace cardvault::core
