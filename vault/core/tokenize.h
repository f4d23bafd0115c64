// tokenize: card numbers in, tokens out.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "vault/core/card_check.h"
#include "vault/core/operation.h"

namespace cardvault::core {

// What a repeat does (same customer, same PAN; docs/api.md "Repeats"): the token is the same, its
// format stays what it first was; an expiry that is given replaces the stored one; the longer life
// wins (no ttl: forever); metadata that is given replaces the stored. A frozen card stays frozen.
//
// Exact under concurrency, because decided alone in apply(): the card limit, the budget of distinct
// new or refused PANs (charged before the look-up's outcome can be seen, not refunded), and one token
// per customer and PAN.
class TokenizeOperation final : public Operation {
 public:
  TokenizeOperation(Services& services, Authorized<Tokenize> request);

  void prepare(Reader& reader) override;
  [[nodiscard]] bool has_effect() const override { return true; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  struct Item {
    std::optional<Failure> failure;   // final, decided in prepare
    bool chargeable = false;          // a valid PAN that the policy refused: charged, then refused
    std::optional<CheckedCard> card;  // the PAN is wiped once it is sealed
    Fingerprint fp{};
    std::uint32_t fp_version = 0;
    CustomerRow customer;             // as found, or as it would be inserted
    bool anonymous = false;
    std::optional<CardRow> fresh;     // the row to insert
    std::optional<CardRow> renewed;   // the existing row with its new expiry sealed in
  };

  void prepare_item(Reader& reader, const TokenizeItem& request, Item& item);
  base::Result<void> find_customer(Reader& reader, const TokenizeItem& request, Item& item);
  base::Result<void> make_row(const TokenizeItem& request, Item& item);
  base::Result<void> renew_row(const TokenizeItem& request, Item& item, CardRow row);
  [[nodiscard]] base::Result<void> prepare_idempotency(Reader& reader);
  [[nodiscard]] base::Result<bool> replay(Transaction& tx, EventSink& events);
  [[nodiscard]] base::Result<void> check_still_fits(Transaction& tx);
  [[nodiscard]] base::Result<TokenizeOutcome> decide(Transaction& tx, const TokenizeItem& request,
                                                     Item& item, Event& event);
  [[nodiscard]] base::Result<TokenizeOutcome> refuse(Transaction& tx, CustomerRow& customer,
                                                     const Item& item, Failure failure);
  [[nodiscard]] base::Result<TokenizeOutcome> insert(Transaction& tx, CustomerRow& customer,
                                                     Item& item);
  [[nodiscard]] base::Result<TokenizeOutcome> repeat(Transaction& tx, const TokenizeItem& request,
                                                     Item& item, CardRow existing);
  [[nodiscard]] Answer take_answer() override;

  Authorized<Tokenize> request_in_;
  std::shared_ptr<const Settings> settings_;
  std::vector<Item> items_;
  std::map<std::string, CustomerRow, std::less<>> customers_;  // of this batch, by fingerprint bytes
  std::optional<IdempotencyGuard::Hold> hold_;
  Fingerprint body_fp_{};
  std::uint32_t body_fp_version_ = 0;
  std::optional<Failure> whole_failure_;
  TokenizeAnswer answer_;
  std::optional<Answer> replayed_;
};

}  // namespace cardvault::core
