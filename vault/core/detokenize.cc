#include "vault/core/detokenize.h"

#include <algorithm>

#include "vault/core/cards.h"
#include "vault/core/text_form.h"

namespace cardvault::core {

using base::Code;
using base::fail;

namespace {

bool over_budget(const RevealBudget& reveals, const std::string& client, const RevealLimits& limits,
                 std::int64_t now_ms) {
  const RevealBudget::Left left = reveals.left(client, limits, now_ms);
  return (limits.client_per_hour != 0 && left.hour == 0) ||
         (limits.client_per_day != 0 && left.day == 0);
}

}  // namespace

DetokenizeOperation::DetokenizeOperation(Services& services, Authorized<Detokenize> request)
    : Operation(services), request_in_(std::move(request)) {}

void DetokenizeOperation::prepare(Reader& reader) {
  settings_ = services_.settings.load();
  const Client& client = *request_in_.principal().client;
  limits_ = settings_->reveal;
  if (client.reveals_per_hour != 0) limits_.client_per_hour = client.reveals_per_hour;
  if (client.reveals_per_day != 0) limits_.client_per_day = client.reveals_per_day;
  const auto& requests = request_in_.request().items;
  items_.clear();
  items_.resize(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (auto ready = prepare_item(reader, requests[i], items_[i]); !ready) {
      items_[i].opened.reset();
      items_[i].failure = failure_of(ready.error());
    }
  }
  // Only a client that is over its budget can be frozen by this request: that group has an effect.
  freeze_possible_ = over_budget(services_.reveals, client.id, limits_, services_.clock.now_ms());
}

base::Result<void> DetokenizeOperation::allowed(Reader& reader, const DetokenizeItem& request,
                                                const CardRow& row) {
  if (row.frozen) return fail(Code::kCardFrozen, "detokenize.card");
  if (row.customer != 0) {
    auto customer = reader.customer_by_row(row.customer);
    if (!customer) return std::unexpected(customer.error());
    if (!*customer || (*customer)->id != row.customer_id) {
      return fail(Code::kRecordDamaged, "detokenize.customer");
    }
    if ((*customer)->frozen) return fail(Code::kCustomerFrozen, "detokenize.customer");
  }
  if (const auto policy = settings_->purposes.find(request.purpose);
      policy != settings_->purposes.end()) {
    if (!policy->second.country_allowed(row.country)) {
      return fail(Code::kCountryRefused, "detokenize.policy");
    }
    if (!policy->second.currency_allowed(row.currency)) {
      return fail(Code::kCurrencyRefused, "detokenize.policy");
    }
  }
  return {};
}

base::Result<void> DetokenizeOperation::prepare_item(Reader& reader, const DetokenizeItem& request,
                                                     Item& item) {
  auto row = find_card_for(services_, request_in_.principal().id(), reader, request.token);
  if (!row) return std::unexpected(row.error());
  item.row = std::move(*row);
  if (request.mask) return {};
  if (auto ok = allowed(reader, request, *item.row); !ok) return ok;
  if (over_budget(services_.reveals, request_in_.principal().id(), limits_,
                  services_.clock.now_ms())) {
    return {};  // apply() will refuse: no HSM call for it
  }
  auto opened = open_card(services_, *item.row);
  if (!opened) return std::unexpected(opened.error());
  item.opened = std::move(*opened);
  return {};
}

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
  if (client == clients->end() || client->revoked || client->frozen) return {};
  client->frozen = true;
  if (auto ok = tx.put_client(*client); !ok) return ok;
  frozen_ = std::move(*client);
  alarm(events, "client_frozen");
  return {};
}

base::Result<DetokenizeOutcome> DetokenizeOperation::decide(Transaction& tx,
                                                            const DetokenizeItem& request,
                                                            Item& item, Event& event,
                                                            EventSink& events) {
  if (item.row) {
    event.resource = Token::from_store(item.row->id, item.row->number).text();
    event.fingerprint = fingerprint_text(item.row->fp, item.row->fp_version);
    event.key_version = item.row->key_version;
    if (item.row->customer != 0) event.customer = to_hex(item.row->customer_id);
    // What the budget of the card counts by, where the token doesn't tell.
    if (item.row->number != 0) event.details.emplace_back("card", to_hex(item.row->id.bytes));
  }
  if (item.failure) return std::move(*item.failure);
  if (request.mask) {
    return Masked{mask_pan(item.row->bin, item.row->last4, item.row->digits),
                  item.row->expiry.text()};
  }
  const Client& client = *request_in_.principal().client;
  const RevealCharge charge =
      services_.reveals.charge(client.id, item.row->id, limits_, event.time_ms);
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
      if (freeze_possible_ && !frozen_) {
        if (auto ok = freeze(tx, events); !ok) return std::unexpected(ok.error());
      }
      [[fallthrough]];
    case RevealVerdict::kExhausted:
      return Failure{Code::kRevealBudgetExhausted, charge.retry_after_s};
  }
  if (!item.opened) return Failure{Code::kRevealBudgetExhausted, 1};  // the window just turned
  return Revealed{base::SecretText(item.opened->pan.expose()), item.opened->expiry.text()};
}

base::Result<void> DetokenizeOperation::apply(Transaction& tx, EventSink& events) {
  const Detokenize& request = request_in_.request();
  answer_ = {};
  alarms_.clear();
  answer_.batch = request.batch;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    Event e = event(request_in_.principal(), request.items[i].mask ? "mask" : "detokenize");
    e.purpose = request_in_.principal().may_reveal_for(request.items[i].purpose)
                    ? request.items[i].purpose
                    : "";  // free text of a request stays out of the log
    auto outcome = decide(tx, request.items[i], items_[i], e, events);
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
  if (frozen_) services_.clients.put(*frozen_);
  for (const char* what : alarms_) services_.alarm_raised(what);
}

Answer DetokenizeOperation::take_answer() { return std::move(answer_); }

}  // namespace cardvault::core
