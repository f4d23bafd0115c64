// Applying: the decisions that must be exact, alone in the committer's transaction.
#include <algorithm>

#include "vault/core/record.h"
#include "vault/core/subject.h"
#include "vault/core/text_form.h"
#include "vault/core/tokenize.h"

namespace cardvault::core {

using base::Code;

namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::uint32_t kMonthDays = 30;

std::uint32_t day_of(std::int64_t now_ms) { return static_cast<std::uint32_t>(now_ms / kDayMs); }

void roll_windows(CustomerRow& customer, std::uint32_t today) {
  if (customer.day != today) {
    customer.day = today;
    customer.day_used = 0;
  }
  if (customer.month_used == 0 || today >= customer.month_start + kMonthDays) {
    customer.month_start = today;
    customer.month_used = 0;
  }
}

void charge(CustomerRow& customer) {
  ++customer.day_used;
  ++customer.month_used;
}

// Seconds until the exhausted budget's window ends; 0 while there is budget.
std::uint32_t budget_wait_s(const CustomerRow& customer, const Settings& settings,
                            std::int64_t now_ms) {
  std::int64_t until = 0;
  if (settings.pan_budget_day != 0 && customer.day_used >= settings.pan_budget_day) {
    until = (std::int64_t{customer.day} + 1) * kDayMs;
  }
  if (settings.pan_budget_month != 0 && customer.month_used >= settings.pan_budget_month) {
    until = std::max(until, (std::int64_t{customer.month_start} + kMonthDays) * kDayMs);
  }
  return until == 0 ? 0 : static_cast<std::uint32_t>((until - now_ms) / 1000 + 1);
}

}  // namespace

// Before the first write: reads what the items are about, and whether what was prepared still fits.
base::Result<void> TokenizeOperation::load(Transaction& tx) {
  const std::vector<TokenizeItem>& requests = request_in_.request().items;
  applied_.clear();
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (items_[i].failure) continue;
    auto loaded = load_item(tx, requests[i], items_[i]);
    if (!loaded && loaded.error().code == Code::kRecordDamaged) {
      items_[i].failure = failure_of(loaded.error());  // one damaged row stops nobody else
    } else if (!loaded) {
      look_first_ = true;
      return loaded;
    }
  }
  return {};
}

base::Result<void> TokenizeOperation::load_item(Transaction& tx, const TokenizeItem& request,
                                                Item& item) {
  const auto conflict = base::fail(Code::kConflict, "tokenize.apply");
  item.known.reset();
  if (item.fresh && item.fresh->number != 0) {
    auto taken = tx.numeric(item.fresh->number);
    if (!taken) return std::unexpected(taken.error());
    if (*taken) return conflict;
  }
  if (item.anonymous) return {};
  auto at = applied_.find(item.customer.name_fp);
  if (at == applied_.end()) {
    auto row = current_customer(tx, item.customer);
    if (!row) return std::unexpected(row.error());
    roll_windows(*row, day_of(now_ms_));
    const bool stored = row->row != 0;
    at = applied_.emplace(item.customer.name_fp, Applied{std::move(*row), stored, false}).first;
  }
  if (at->second.row.id != item.customer.id) return conflict;
  if (item.chargeable || !at->second.stored) return {};
  // Of a customer who gets no answer about cards nothing is looked up: another expiry would cost a
  // second preparation, whose time tells that the card is known.
  if (at->second.row.frozen || budget_wait_s(at->second.row, *settings_, now_ms_) != 0) return {};
  auto known = card_of(tx, at->second.row.row, item.fps);
  if (!known) return std::unexpected(known.error());
  item.known = *known;
  if (item.renewed) {
    return item.known && *item.known == item.renewed->id ? base::Result<void>() : conflict;
  }
  if (!item.known || request.expiry.empty()) return {};
  // A repeat that may bring another expiry needs the row sealed anew, unless the row's life is
  // over.
  auto row = tx.card(*item.known);
  if (!row) return std::unexpected(row.error());
  const bool fits = !*row || (*row)->expiry == item.card->expiry || ttl_ended(**row, now_ms_);
  return fits ? base::Result<void>() : conflict;
}

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
  if (auto fits = load(tx); !fits) return fits;

  TokenizeAnswer answer;
  answer.batch = request.batch;
  answer.items.reserve(items_.size());
  bool keep = true;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    Event e = event(principal, "tokenize");
    auto outcome = decide(tx, request.items[i], items_[i], e);
    if (!outcome) return std::unexpected(outcome.error());
    if (const auto* failure = std::get_if<Failure>(&*outcome)) {
      e.outcome = base::code_name(failure->code);
      keep = keep && !is_vault_failure(failure->code);
    }
    events.add(e);
    answer.items.push_back(std::move(*outcome));
  }
  for (auto& [fp, customer] : applied_) {
    if (!customer.changed) continue;
    if (auto ok = tx.update_customer(customer.row); !ok) return ok;
  }
  answer_ = std::move(answer);
  return keep ? idempotent_.keep(tx, answer_) : base::Result<void>();
}

base::Result<TokenizeOutcome> TokenizeOperation::decide(Transaction& tx,
                                                        const TokenizeItem& request, Item& item,
                                                        Event& event) {
  if (item.failure) return *item.failure;
  event.fingerprint = fingerprint_text(item.fps.active, item.fps.version);
  if (item.anonymous) {
    if (item.chargeable) return Failure{*item.card->refused, 0};
    return insert(tx, nullptr, item, event);
  }
  Applied& customer = applied_.at(item.customer.name_fp);
  event.customer = to_hex(customer.row.id);
  if (customer.row.frozen) return Failure{Code::kCustomerFrozen, 0};
  if (const auto wait = budget_wait_s(customer.row, *settings_, now_ms_); wait != 0) {
    return Failure{Code::kPanBudgetExhausted, wait};
  }
  if (item.chargeable) return refuse(tx, customer, item, {*item.card->refused, 0});
  if (customer.stored && !item.known && items_.size() > 1) {
    auto known = card_of(tx, customer.row.row, item.fps);  // an earlier item of this batch
    if (!known) return std::unexpected(known.error());
    item.known = *known;
  }
  if (item.known) {
    auto row = tx.card(*item.known);
    // An error would fail the whole group and latch the store: one damaged row stops nobody else.
    if (!row && row.error().code == Code::kRecordDamaged) return failure_of(row.error());
    if (!row) return std::unexpected(row.error());
    if (!*row) return base::fail(Code::kStoreFailed, "tokenize.index_without_card");
    if (!ttl_ended(**row, now_ms_)) {
      event.resource = Token::from_store((*row)->id, (*row)->number).text();
      event.key_version = (*row)->key_version;
      event.details.emplace_back("duplicate", "true");
      return repeat(tx, request, item, std::move(**row));
    }
    if (auto gone = tx.delete_card(**row); !gone) return std::unexpected(gone.error());
  }
  if (customer.stored && settings_->cards_per_customer != 0) {
    auto count = tx.count_cards(customer.row.row);
    if (!count) return std::unexpected(count.error());
    if (*count >= settings_->cards_per_customer) {
      return refuse(tx, customer, item, {Code::kCardLimitReached, 0});
    }
  }
  return insert(tx, &customer, item, event);
}

// Inserts a new customer, its first charge included; a known one is written once, at the end.
base::Result<void> TokenizeOperation::store_customer(Transaction& tx, Applied& customer) {
  if (customer.stored) {
    customer.changed = true;
    return {};
  }
  auto row = insert_customer(tx, customer.row);
  if (!row) return std::unexpected(row.error());
  customer.row.row = *row;
  customer.stored = true;
  return {};
}

base::Result<TokenizeOutcome> TokenizeOperation::refuse(Transaction& tx, Applied& customer,
                                                        const Item& item, Failure failure) {
  const std::uint32_t today = day_of(now_ms_);
  if (customer.stored) {
    auto seen = pan_refused(tx, customer.row.row, item.fps, today - kMonthDays);
    if (!seen) return std::unexpected(seen.error());
    if (*seen) return failure;
  }
  charge(customer.row);
  if (auto ok = store_customer(tx, customer); !ok) return std::unexpected(ok.error());
  if (auto ok = tx.add_refused_pan(customer.row.row, item.fps.active, today); !ok) {
    return std::unexpected(ok.error());
  }
  return failure;
}

base::Result<TokenizeOutcome> TokenizeOperation::insert(Transaction& tx, Applied* customer,
                                                        Item& item, Event& event) {
  if (customer != nullptr) {
    charge(customer->row);
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
                                                        CardRow existing) {
  bool changed = false;
  // Without a prepared renewal the earlier card is of this very batch: the first of equals decides.
  if (item.renewed && item.renewed->expiry != existing.expiry && !request.expiry.empty()) {
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
