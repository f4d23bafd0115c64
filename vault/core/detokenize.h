// detokenize: tokens in; masks, sealed cards or card numbers out. Prepared in detokenize.cc,
// decided in detokenize_apply.cc.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "vault/core/confirmation.h"
#include "vault/core/operation.h"
#include "vault/core/record.h"

namespace cardvault::core {

// Reveals, clear and sealed, are charged to the budgets of the client and the card in apply(), in
// the order of the log, so that the counters are a function of the events. A client that tries
// three times its budget, or reveals a canary, is frozen in the same transaction: the whole batch
// is refused then, and what the client has on its way. A sealed reveal spends the code that
// confirmed its payment, where the policy demands one.
class DetokenizeOperation final : public Operation {
 public:
  DetokenizeOperation(Services& services, Authorized<Detokenize> request);

  void prepare(Reader& reader) override;
  [[nodiscard]] bool has_effect() const override { return has_effect_; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  struct Item {
    std::optional<Failure> failure;
    std::optional<CardRow> row;
    std::optional<OpenedCard> opened;          // of a clear reveal
    std::string sealed;                        // of a sealed one
    std::optional<Confirmation> confirmation;  // that a sealed one spends
    bool canary = false;
  };
  [[nodiscard]] base::Result<void> prepare_item(Reader& reader, const DetokenizeItem& request,
                                                Item& item);
  [[nodiscard]] base::Result<void> allowed(Reader& reader, const DetokenizeItem& request,
                                           const CardRow& row);
  [[nodiscard]] base::Result<void> confirm(Reader& reader, const DetokenizeItem& request,
                                           Item& item);
  [[nodiscard]] base::Result<void> reveal(const DetokenizeItem& request, Item& item);
  [[nodiscard]] std::optional<base::Code> stopped() const;
  [[nodiscard]] base::Result<bool> spring_trap(Transaction& tx, EventSink& events);
  void describe(const DetokenizeItem& request, const Item& item, Event& event) const;
  [[nodiscard]] base::Result<DetokenizeOutcome> charge(Transaction& tx,
                                                       const DetokenizeItem& request, Item& item,
                                                       std::int64_t now, EventSink& events);
  [[nodiscard]] base::Result<DetokenizeOutcome> decide(Transaction& tx,
                                                       const DetokenizeItem& request, Item& item,
                                                       std::int64_t now, EventSink& events);
  void alarm(EventSink& events, const char* what);
  [[nodiscard]] base::Result<void> freeze(Transaction& tx, EventSink& events);
  [[nodiscard]] Answer take_answer() override;
  void committed() override;

  Authorized<Detokenize> request_in_;
  std::shared_ptr<const Settings> settings_;
  RevealLimits limits_;
  std::vector<Item> items_;
  bool has_effect_ = false;
  std::optional<Client> frozen_;  // by this request
  std::vector<const char*> alarms_;
  DetokenizeAnswer answer_;
};

}  // namespace cardvault::core
