// Preparing: what is slow and needs no order.
#include "vault/core/tokenize.h"

#include <algorithm>

#include "vault/core/card_row.h"
#include "vault/core/record.h"
#include "vault/core/subject.h"

namespace cardvault::core {

using base::Code;

TokenizeOperation::TokenizeOperation(Services& services, Authorized<Tokenize> request)
    : Operation(services), request_in_(std::move(request)), idempotent_(services) {}

void TokenizeOperation::prepare(Reader& reader) {
  note_keys();
  settings_ = services_.settings.load();
  const std::vector<TokenizeItem>& requests = request_in_.request().items;
  whole_failure_.reset();
  replayed_.reset();
  customers_.clear();
  items_.clear();
  items_.resize(requests.size());
  if (const std::string& key = request_in_.request().idempotency_key; !key.empty()) {
    auto first = idempotent_.look(reader, request_in_.principal().id(), key,
                                  services_.codec.tokenize_bytes(request_in_.request()));
    if (first) {
      replayed_ = std::move(*first);
    } else {
      whole_failure_ = failure_of(first.error());
    }
    if (whole_failure_ || replayed_) return;
  }
  for (std::size_t i = 0; i < requests.size(); ++i) prepare_item(reader, i);
}

void TokenizeOperation::prepare_item(Reader& reader, std::size_t at) {
  const TokenizeItem& request = request_in_.request().items[at];
  Item& item = items_[at];
  auto card = check_card(request, *settings_, *services_.bins.load(), services_.clock.now_ms());
  if (!card) {
    item.failure = failure_of(card.error());
    return;
  }
  item.anonymous = request.customer.empty();
  if (item.anonymous && !request_in_.principal().permissions.has(Permission::kTokenizeAnonymous)) {
    item.failure = Failure{Code::kCustomerRequired, 0};
    return;
  }
  item.chargeable = card->refused.has_value();
  item.card = std::move(*card);
  if (auto ready = seal_item(reader, at); !ready) {
    item.failure = failure_of(ready.error());
  }
}

base::Result<void> TokenizeOperation::seal_item(Reader& reader, std::size_t at) {
  const TokenizeItem& request = request_in_.request().items[at];
  Item& item = items_[at];
  auto fps = pan_fingerprints(services_, item.card->pan);
  if (!fps) return std::unexpected(fps.error());
  item.fps = std::move(*fps);
  if (!item.anonymous) {
    if (auto found = find_customer(reader, request, item); !found) return found;
  }
  if (item.chargeable) return {};
  if (renewals_.contains(at) && item.customer.row != 0) {
    auto known = card_of(reader, item.customer.row, item.fps);
    if (!known) return std::unexpected(known.error());
    if (*known) {
      auto row = reader.card(**known);
      if (!row) return std::unexpected(row.error());
      if (*row && !ttl_ended(**row, services_.clock.now_ms())) {
        return renew_row(item, std::move(**row));
      }
    }
  }
  return make_row(request, item);
}

base::Result<void> TokenizeOperation::find_customer(Reader& reader, const TokenizeItem& request,
                                                    Item& item) {
  auto name = name_fingerprints(services_, request.customer.expose());
  if (!name) return std::unexpected(name.error());
  if (const auto seen = customers_.find(name->active); seen != customers_.end()) {
    item.customer = seen->second;
    return {};
  }
  auto customer = find_or_make_customer(services_, reader, request.customer.expose(), *name,
                                        look_first_ ? LookUp::kStore : LookUp::kCacheFirst);
  if (!customer) return std::unexpected(customer.error());
  item.customer = std::move(*customer);
  if (request_in_.request().items.size() > 1) customers_.emplace(name->active, item.customer);
  return {};
}

base::Result<void> TokenizeOperation::make_row(const TokenizeItem& request, Item& item) {
  auto row = new_card_row(services_, *item.card,
                          {.fp = item.fps.active,
                           .fp_version = item.fps.version,
                           .customer_id = item.customer.id,
                           .format = request.format});
  if (!row) return std::unexpected(row.error());
  row->expires_ms = request.ttl_s == 0 ? 0 : row->created_ms + std::int64_t{request.ttl_s} * 1000;
  row->metadata = request.metadata;
  item.fresh = std::move(*row);
  return {};
}

// What isn't sealed here is never written: a copy of the row may be under an earlier key by then.
base::Result<void> TokenizeOperation::renew_row(Item& item, CardRow row) {
  if (row.expiry == item.card->expiry) return {};  // another request has brought it since
  row.expiry = item.card->expiry;
  if (auto ok = seal_card(services_, item.card->pan, row); !ok) return ok;
  item.renewed = std::move(row);
  return {};
}

}  // namespace cardvault::core
