// Deciding: budgets, canaries and confirmations, alone in the committer's transaction.
#include <algorithm>

#include "vault/core/cards.h"
#include "vault/core/client_freeze.h"
#include "vault/core/detokenize.h"
#include "vault/core/text_form.h"

namespace cardvault::core {

using base::Code;

void DetokenizeOperation::alarm(EventSink& events, const char* what) {
  Event e = event(request_in_.principal(), "alarm");
  e.outcome = what;
  events.add(e);
  alarms_.push_back(what);
}

base::Result<void> DetokenizeOperation::freeze(Transaction& tx, EventSink& events) {
  // As it is stored now: an operator may have revoked it since this request was let in.
  auto clients = tx.clients();
  if (!clients) return std::unexpected(clients.error());
  const auto client = std::ranges::find(*clients, request_in_.principal().id(), &Client::id);
  if (client == clients->end()) return {};
  if (client->revoked || client->frozen) {
    services_.clients.put(*client);  // memory may lag behind: this group did it
    return {};
  }
  if (auto ok = freeze_client(tx, *client); !ok) return ok;
  // At once, for what the client has in this group and the next; should the commit fail, the
  // clients are read again.
  services_.clients.put(*client);
  frozen_ = *client;
  alarm(events, "client_frozen");
  return {};
}

// Whether an operator, or a request before this one, has stopped the client since it was let in.
std::optional<Code> DetokenizeOperation::stopped() const {
  const auto client = services_.clients.by_id(request_in_.principal().id());
  if (!client || client->revoked) return Code::kClientRevoked;
  if (client->frozen) return Code::kClientFrozen;
  return std::nullopt;
}

base::Result<bool> DetokenizeOperation::spring_trap(Transaction& tx, EventSink& events) {
  if (std::ranges::none_of(items_, &Item::canary)) return false;
  alarm(events, "canary_revealed");
  if (auto ok = freeze(tx, events); !ok) return std::unexpected(ok.error());
  return true;
}

void DetokenizeOperation::describe(const DetokenizeItem& request, const Item& item,
                                   Event& event) const {
  event.purpose = request_in_.principal().may_reveal_for(request.purpose)
                      ? request.purpose
                      : "";  // free text of a request stays out of the log
  if (!item.row) {
    event.resource = named_token(request.token);
    return;
  }
  event.resource = Token::from_store(item.row->id, item.row->number).text();
  event.fingerprint = fingerprint_text(item.row->fp, item.row->fp_version);
  event.key_version = item.row->key_version;
  if (item.row->customer != 0) event.customer = to_hex(item.row->customer_id);
  // What the budget of the card counts by, where the token doesn't tell.
  if (item.row->number != 0) event.details.emplace_back("card", to_hex(item.row->id.bytes));
  // A recipient's name goes into the log only when there is one of that name.
  if (!request.recipient.empty() && services_.recipients.find(request.recipient)) {
    event.details.emplace_back("recipient", request.recipient);
  }
  if (item.confirmation) event.details.emplace_back("code", item.confirmation->code_id());
}

base::Result<DetokenizeOutcome> DetokenizeOperation::charge(Transaction& tx,
                                                            const DetokenizeItem& request,
                                                            Item& item, std::int64_t now,
                                                            EventSink& events) {
  if (item.confirmation) {
    if (auto ready = item.confirmation->spendable(tx, now); !ready) {
      if (ready.error().code != Code::kConfirmationRequired) {
        return std::unexpected(ready.error());
      }
      return failure_of(ready.error());
    }
  }
  const RevealCharge charge =
      services_.reveals.charge(request_in_.principal().id(), item.row->id, limits_, now);
  switch (charge.verdict) {
    case RevealVerdict::kOk:
      break;
    case RevealVerdict::kAlarm80:
      alarm(events, "reveal_budget_80");
      break;
    case RevealVerdict::kAlarm100:
      alarm(events, "reveal_budget_100");
      break;
    case RevealVerdict::kFreeze:
      // Without an effect in this group the next request, now known to be over budget, freezes.
      if (has_effect_ && !frozen_) {
        if (auto ok = freeze(tx, events); !ok) return std::unexpected(ok.error());
      }
      [[fallthrough]];
    case RevealVerdict::kExhausted:
      return Failure{Code::kRevealBudgetExhausted, charge.retry_after_s};
  }
  if (!item.opened && item.sealed.empty()) {
    return Failure{Code::kRevealBudgetExhausted, 1};  // the window just turned
  }
  if (item.confirmation) {
    if (auto spent = item.confirmation->spend(tx, now); !spent) {
      return std::unexpected(spent.error());
    }
  }
  if (!request.recipient.empty()) return SealedCard{std::move(item.sealed)};
  return Revealed{base::SecretText(item.opened->pan.expose()), item.opened->expiry.text()};
}

base::Result<DetokenizeOutcome> DetokenizeOperation::decide(Transaction& tx,
                                                            const DetokenizeItem& request,
                                                            Item& item, std::int64_t now,
                                                            EventSink& events) {
  if (item.failure) return *item.failure;
  if (request.mask) {
    return Masked{mask_pan(item.row->bin, item.row->last4, item.row->digits),
                  item.row->expiry.text()};
  }
  return charge(tx, request, item, now, events);
}

base::Result<void> DetokenizeOperation::apply(Transaction& tx, EventSink& events) {
  const Detokenize& request = request_in_.request();
  for (const Item& item : items_) {
    if (!item.confirmation) continue;
    if (auto fits = item.confirmation->unchanged(tx); !fits) return fits;
  }
  answer_ = {};
  alarms_.clear();
  answer_.batch = request.batch;
  std::optional<Code> refused = stopped();
  if (!refused) {
    auto sprung = spring_trap(tx, events);
    if (!sprung) return std::unexpected(sprung.error());
    if (*sprung) refused = Code::kClientFrozen;
  }
  for (std::size_t i = 0; i < items_.size(); ++i) {
    Event e = event(request_in_.principal(), request.items[i].mask ? "mask" : "detokenize");
    describe(request.items[i], items_[i], e);
    auto outcome = refused ? base::Result<DetokenizeOutcome>(Failure{*refused, 0})
                           : decide(tx, request.items[i], items_[i], e.time_ms, events);
    if (!outcome) return std::unexpected(outcome.error());
    if (const auto* failure = std::get_if<Failure>(&*outcome)) {
      e.outcome = base::code_name(failure->code);
    }
    events.add(e);
    answer_.items.push_back(std::move(*outcome));
  }
  return {};
}

void DetokenizeOperation::committed() {
  // Once more: an operator's change before it in this group puts the client as that left it.
  if (frozen_) services_.clients.put(*frozen_);
  for (const char* what : alarms_) services_.alarm_raised(what);
}

Answer DetokenizeOperation::take_answer() { return std::move(answer_); }

}  // namespace cardvault::core
