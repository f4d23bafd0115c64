// detokenize: tokens in, card numbers or masks out.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "vault/core/operation.h"
#include "vault/core/record.h"

namespace cardvault::core {

// Clear reveals are charged to the budgets of the client and the card in apply(), in the order of
// the log, so that the counters are a function of the events. A client that tries three times its
// budget is frozen in the same transaction.
class DetokenizeOperation final : public Operation {
 public:
  DetokenizeOperation(Services& services, Authorized<Detokenize> request);

  void prepare(Reader& reader) override;
  [[nodiscard]] bool has_effect() const override { return freeze_possible_; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  struct Item {
    std::optional<Failure> failure;
    std::optional<CardRow> row;
    std::optional<OpenedCard> opened;
  };
  [[nodiscard]] base::Result<void> prepare_item(Reader& reader, const DetokenizeItem& request,
                                                Item& item);
  [[nodiscard]] base::Result<void> allowed(Reader& reader, const DetokenizeItem& request,
                                           const CardRow& row);
  [[nodiscard]] base::Result<DetokenizeOutcome> decide(Transaction& tx,
                                                       const DetokenizeItem& request, Item& item,
                                                       Event& event, EventSink& events);
  void alarm(EventSink& events, const char* what);
  [[nodiscard]] base::Result<void> freeze(Transaction& tx, EventSink& events);
  [[nodiscard]] Answer take_answer() override;
  void committed() override;

  Authorized<Detokenize> request_in_;
  std::shared_ptr<const Settings> settings_;
  RevealLimits limits_;
  std::vector<Item> items_;
  bool freeze_possible_ = false;
  std::optional<Client> frozen_;
  std::vector<const char*> alarms_;
  DetokenizeAnswer answer_;
};

}  // namespace cardvault::core
