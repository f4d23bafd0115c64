// Applying: carries out what was planned, alone in the committer's transaction.
#include "vault/core/cards.h"
#include "vault/core/pan_budget.h"
#include "vault/core/record.h"
#include "vault/core/subject.h"
#include "vault/core/text_form.h"
#include "vault/core/tokenize.h"

namespace cardvault::core {

using base::Code;

void TokenizeOperation::record_whole(EventSink& events) {
  Event e = event(request_in_.principal(), "tokenize");
  if (whole_failure_) e.outcome = base::code_name(whole_failure_->code);
  if (replayed_) e.details.emplace_back("replay", "true");
  events.add(e);
}

base::Result<void> TokenizeOperation::apply(Transaction& tx, EventSink& events) {
  if (auto ok = keys_unchanged(); !ok) return ok;
  const Tokenize& request = request_in_.request();
  const Principal& principal = request_in_.principal();
  if (whole_failure_ || replayed_) {
    record_whole(events);
    return {};
  }
  if (auto ok = idempotent_.still_first(tx); !ok) return ok;
  now_ms_ = services_.clock.now_ms();
  if (auto fits = plan(tx); !fits) return fits;

  TokenizeAnswer answer;
  answer.batch = request.batch;
  answer.items.reserve(items_.size());
  bool keep = true;
  bool would_double = false;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    Event e = event(principal, "tokenize");
    auto outcome = carry_out(tx, request.items[i], items_[i], e, events);
    if (!outcome) return std::unexpected(outcome.error());
    if (const auto* failure = std::get_if<Failure>(&*outcome)) {
      e.outcome = base::code_name(failure->code);
      keep = keep && !is_vault_failure(failure->code);
    } else {
      would_double = would_double || items_[i].anonymous;
    }
    events.add(e);
    answer.items.push_back(std::move(*outcome));
  }
  for (auto& [fp, customer] : applied_) {
    if (!customer.changed) continue;
    if (auto ok = tx.update_customer(customer.row); !ok) return ok;
  }
  answer_ = std::move(answer);
  // What met a failing vault may be tried again, unless a card would be stored twice by that.
  return keep || would_double ? idempotent_.keep(tx, answer_) : base::Result<void>();
}

base::Result<TokenizeOutcome> TokenizeOperation::carry_out(Transaction& tx,
                                                           const TokenizeItem& request, Item& item,
                                                           Event& event, EventSink& events) {
  if (item.failure) return *item.failure;
  event.fingerprint = fingerprint_text(item.fps.active, item.fps.version);
  Applied* customer = nullptr;
  if (const auto at = applied_.find(item.customer.name_fp);
      !item.anonymous && at != applied_.end()) {
    customer = &at->second;
    event.customer = to_hex(customer->row.id);
  }
  if (const auto* failure = std::get_if<Failure>(&item.plan)) return *failure;
  if (const auto* refusal = std::get_if<Refusal>(&item.plan)) {
    return refuse(tx, *customer, item, refusal->failure);
  }
  if (std::holds_alternative<Repeat>(item.plan)) return repeat(tx, request, item, event);
  return insert(tx, customer, item, event, events);
}

// Inserts a new customer, as the whole plan leaves it; a known one is written once, at the end.
base::Result<void> TokenizeOperation::store_customer(Transaction& tx, Applied& customer) {
  if (customer.stored) return {};
  auto row = insert_customer(tx, customer.row);
  if (!row) return std::unexpected(row.error());
  customer.row.row = *row;
  customer.stored = true;
  customer.changed = false;
  return {};
}

base::Result<TokenizeOutcome> TokenizeOperation::refuse(Transaction& tx, Applied& customer,
                                                        const Item& item, Failure failure) {
  if (auto ok = store_customer(tx, customer); !ok) return std::unexpected(ok.error());
  if (auto ok = tx.add_refused_pan(customer.row.row, item.fps.active, day_of(now_ms_)); !ok) {
    return std::unexpected(ok.error());
  }
  return failure;
}

base::Result<TokenizeOutcome> TokenizeOperation::insert(Transaction& tx, Applied* customer,
                                                        Item& item, Event& event,
                                                        EventSink& events) {
  if (const auto& ended = std::get<Insert>(item.plan).ended) {
    if (auto gone = expire_card(tx, *ended, now_ms_, events); !gone) {
      return std::unexpected(gone.error());
    }
  }
  if (customer != nullptr) {
    if (auto ok = store_customer(tx, *customer); !ok) return std::unexpected(ok.error());
    item.fresh->customer = customer->row.row;
  }
  if (auto ok = tx.insert_card(*item.fresh); !ok) return std::unexpected(ok.error());
  CardView view = card_view(*item.fresh, now_ms_);
  event.resource = view.token;
  event.key_version = item.fresh->key_version;
  return view;
}

base::Result<TokenizeOutcome> TokenizeOperation::repeat(Transaction& tx,
                                                        const TokenizeItem& request, Item& item,
                                                        Event& event) {
  // Read again: an item before this one may have changed or stored it.
  auto row = tx.card(std::get<Repeat>(item.plan).card);
  if (!row) return std::unexpected(row.error());
  if (!*row) return base::fail(Code::kStoreFailed, "tokenize.index_without_card");
  CardRow existing = std::move(**row);
  event.resource = Token::from_store(existing.id, existing.number).text();
  event.key_version = existing.key_version;
  event.details.emplace_back("duplicate", "true");
  bool changed = false;
  if (item.renewed && item.renewed->expiry != existing.expiry) {
    existing.expiry = item.renewed->expiry;
    existing.sealed = std::move(item.renewed->sealed);
    existing.key_version = item.renewed->key_version;
    changed = true;
  }
  const std::int64_t wanted = request.ttl_s == 0 ? 0 : now_ms_ + std::int64_t{request.ttl_s} * 1000;
  if (existing.expires_ms != 0 && (wanted == 0 || wanted > existing.expires_ms)) {
    existing.expires_ms = wanted;
    changed = true;
  }
  if (!request.metadata.empty() && request.metadata != existing.metadata) {
    existing.metadata = request.metadata;
    changed = true;
  }
  if (changed) {
    if (auto ok = tx.update_card(existing); !ok) return std::unexpected(ok.error());
  }
  CardView view = card_view(existing, now_ms_);
  view.duplicate = true;
  return view;
}

void TokenizeOperation::committed() {
  for (const auto& [fp, customer] : applied_) {
    if (customer.stored) services_.customers.put(fp, {customer.row.row, customer.row.id});
  }
}

Answer TokenizeOperation::take_answer() {
  idempotent_.release();
  if (whole_failure_) return *whole_failure_;
  if (replayed_) return std::move(*replayed_);
  return std::move(answer_);
}

}  // namespace cardvault::core
