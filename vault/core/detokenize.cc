#include "vault/core/detokenize.h"

#include "vault/core/cards.h"
#include "vault/core/payment_context.h"
#include "vault/core/sealed_card.h"

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
      items_[i].confirmation.reset();
      items_[i].failure = failure_of(ready.error());
    }
  }
  // What may write more than events: a freeze, of a client over its budget or at a canary, and a
  // code that is spent.
  has_effect_ = over_budget(services_.reveals, client.id, limits_, services_.clock.now_ms());
  for (const Item& item : items_) has_effect_ = has_effect_ || item.canary || item.confirmation;
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
  item.canary = services_.canaries.load()->contains(item.row->id);
  if (auto ok = allowed(reader, request, *item.row); !ok) return ok;
  if (auto ok = confirm(reader, request, item); !ok) return ok;
  if (over_budget(services_.reveals, request_in_.principal().id(), limits_,
                  services_.clock.now_ms())) {
    return {};  // apply() will refuse: no HSM call for it
  }
  return reveal(request, item);
}

base::Result<void> DetokenizeOperation::confirm(Reader& reader, const DetokenizeItem& request,
                                                Item& item) {
  if (request.context) {
    if (request.recipient.empty()) return fail(Code::kInvalidContext, "detokenize.context");
    if (auto ok = check_context(*request.context); !ok) return ok;
  }
  if (request.recipient.empty() || !settings_->needs_confirmation(request.purpose)) return {};
  // In doubt about the time, nobody can say whether a code still holds, nor mark it as used.
  if (!services_.clock.trusted()) return fail(Code::kClockSuspect, "detokenize.clock");
  if (!request.context) return fail(Code::kConfirmationRequired, "detokenize.context");
  auto found = Confirmation::find(services_, reader, item.row->customer, kConfirmingPurpose,
                                  request.context);
  if (!found) return std::unexpected(found.error());
  if (!found->fits(services_.clock.now_ms())) {
    return fail(Code::kConfirmationRequired, "detokenize.code");
  }
  item.confirmation = std::move(*found);
  return {};
}

base::Result<void> DetokenizeOperation::reveal(const DetokenizeItem& request, Item& item) {
  if (request.recipient.empty()) {
    auto opened = open_card(services_, *item.row);
    if (!opened) return std::unexpected(opened.error());
    item.opened = std::move(*opened);
    return {};
  }
  auto recipient = card_recipient(services_, request.recipient);
  if (!recipient) return std::unexpected(recipient.error());
  auto opened = open_card(services_, *item.row);
  if (!opened) return std::unexpected(opened.error());
  auto sealed = seal_card_to(services_, **recipient, *item.row, *opened, request);
  if (!sealed) return std::unexpected(sealed.error());
  item.sealed = std::move(*sealed);
  return {};
}

}  // namespace cardvault::core
