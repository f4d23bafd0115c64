// Planning: the decisions that must be exact, alone in the committer's transaction, before its
// first write.
#include "vault/core/pan_budget.h"
#include "vault/core/record.h"
#include "vault/core/subject.h"
#include "vault/core/tokenize.h"

namespace cardvault::core {

using base::Code;

namespace {
std::unexpected<base::Error> conflict() { return base::fail(Code::kConflict, "tokenize.plan"); }
}  // namespace

// Goes on after a conflict: a batch of many renewals is prepared again once, not once for each.
base::Result<void> TokenizeOperation::plan(Transaction& tx) {
  applied_.clear();
  renewals_.clear();
  bool fits = true;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (items_[i].failure) continue;
    auto planned = plan_item(tx, i);
    if (planned) {
      items_[i].plan = std::move(*planned);
    } else if (planned.error().code == Code::kConflict) {
      fits = false;
    } else if (planned.error().code == Code::kRecordDamaged) {
      // An error would fail the whole group and latch the store: one damaged row stops nobody else.
      items_[i].plan = failure_of(planned.error());
    } else {
      return std::unexpected(planned.error());
    }
  }
  if (fits) return {};
  look_first_ = true;
  return conflict();
}

base::Result<TokenizeOperation::Plan> TokenizeOperation::plan_item(Transaction& tx,
                                                                   std::size_t at) {
  Item& item = items_[at];
  if (item.anonymous) {
    if (item.chargeable) return Failure{*item.card->refused, 0};
    return plan_insert(tx, item, nullptr, {});
  }
  auto found = customer_of(tx, item);
  if (!found) return std::unexpected(found.error());
  Applied& customer = **found;
  if (customer.row.id != item.customer.id) return conflict();
  if (customer.row.frozen) return Failure{Code::kCustomerFrozen, 0};
  if (const auto wait = pan_budget_wait_s(customer.row, *settings_, now_ms_); wait != 0) {
    return Failure{Code::kPanBudgetExhausted, wait};
  }
  if (item.chargeable) return plan_refusal(tx, item, customer, {*item.card->refused, 0});
  return plan_card(tx, at, customer);
}

base::Result<TokenizeOperation::Applied*> TokenizeOperation::customer_of(Transaction& tx,
                                                                         const Item& item) {
  auto at = applied_.find(item.customer.name_fp);
  if (at == applied_.end()) {
    auto row = current_customer(tx, item.customer);
    if (!row) return std::unexpected(row.error());
    roll_pan_windows(*row, day_of(now_ms_));
    at = applied_.emplace(item.customer.name_fp, Applied{}).first;
    at->second.stored = row->row != 0;
    at->second.row = std::move(*row);
  }
  return &at->second;
}

base::Result<TokenizeOperation::Plan> TokenizeOperation::plan_card(Transaction& tx, std::size_t at,
                                                                   Applied& customer) {
  Item& item = items_[at];
  // The first of equal items decides.
  if (const auto first = customer.cards.find(item.fps.active); first != customer.cards.end()) {
    return Repeat{first->second};
  }
  Insert insert;
  if (customer.stored) {
    auto known = card_of(tx, customer.row.row, item.fps);
    if (!known) return std::unexpected(known.error());
    if (*known) {
      auto row = tx.card(**known);
      if (!row) return std::unexpected(row.error());
      if (!*row) return base::fail(Code::kStoreFailed, "tokenize.index_without_card");
      if (!ttl_ended(**row, now_ms_)) {
        customer.cards.emplace(item.fps.active, (*row)->id);
        return plan_repeat(at, **row);
      }
      insert.ended = std::move(**row);
    }
  }
  auto full = at_card_limit(tx, customer);
  if (!full) return std::unexpected(full.error());
  if (*full) return plan_refusal(tx, item, customer, {Code::kCardLimitReached, 0});
  return plan_insert(tx, item, &customer, std::move(insert));
}

// A repeat that brings another expiry needs the row sealed anew.
base::Result<TokenizeOperation::Plan> TokenizeOperation::plan_repeat(std::size_t at,
                                                                     const CardRow& stored) {
  const Item& item = items_[at];
  const bool renews =
      !request_in_.request().items[at].expiry.empty() && stored.expiry != item.card->expiry;
  if (renews) renewals_.insert(at);
  if (renews && (!item.renewed || item.renewed->id != stored.id)) return conflict();
  return Repeat{stored.id};
}

base::Result<TokenizeOperation::Plan> TokenizeOperation::plan_refusal(Transaction& tx,
                                                                      const Item& item,
                                                                      Applied& customer,
                                                                      Failure failure) {
  if (customer.refused.contains(item.fps.active)) return failure;
  if (customer.stored) {
    auto seen = pan_refused(tx, customer.row.row, item.fps, day_of(now_ms_) - kPanBudgetMonthDays);
    if (!seen) return std::unexpected(seen.error());
    if (*seen) return failure;
  }
  charge_pan(customer.row);
  customer.changed = true;
  customer.refused.insert(item.fps.active);
  return Refusal{failure};
}

base::Result<TokenizeOperation::Plan> TokenizeOperation::plan_insert(Transaction& tx, Item& item,
                                                                     Applied* customer,
                                                                     Insert insert) {
  if (customer != nullptr) {  // charged even before a conflict, for the items that follow
    charge_pan(customer->row);
    customer->changed = true;
    customer->cards.emplace(item.fps.active, item.fresh ? item.fresh->id : TokenId{});
    ++customer->inserts;
  }
  if (!item.fresh) return conflict();  // it was known, and its life has ended since
  if (item.fresh->number != 0) {
    auto taken = tx.numeric(item.fresh->number);
    if (!taken) return std::unexpected(taken.error());
    if (*taken) return conflict();
  }
  return insert;
}

// Cards whose life has ended don't count, though the next sweep is yet to take them.
base::Result<bool> TokenizeOperation::at_card_limit(Transaction& tx, const Applied& customer) {
  const std::size_t limit = settings_->cards_per_customer;
  if (limit == 0) return false;
  std::size_t cards = customer.inserts;
  if (customer.stored) {
    auto stored = tx.count_cards(customer.row.row);
    if (!stored) return std::unexpected(stored.error());
    cards += *stored;
  }
  if (cards < limit || !customer.stored) return cards >= limit;
  auto ended = tx.count_ended_cards(customer.row.row, now_ms_);
  if (!ended) return std::unexpected(ended.error());
  return cards - *ended >= limit;
}

}  // namespace cardvault::core
