// Preparing: what is slow and needs no order.
#include "vault/core/tokenize.h"

#include <algorithm>
#include <array>

#include "vault/core/record.h"
#include "vault/core/subject.h"

namespace cardvault::core {

using base::Code;

TokenizeOperation::TokenizeOperation(Services& services, Authorized<Tokenize> request)
    : Operation(services), request_in_(std::move(request)), idempotent_(services) {}

void TokenizeOperation::prepare(Reader& reader) {
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
  for (std::size_t i = 0; i < requests.size(); ++i) prepare_item(reader, requests[i], items_[i]);
}

void TokenizeOperation::prepare_item(Reader& reader, const TokenizeItem& request, Item& item) {
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
  if (auto ready = seal_item(reader, request, item); !ready) {
    item.failure = failure_of(ready.error());
  }
}

base::Result<void> TokenizeOperation::seal_item(Reader& reader, const TokenizeItem& request,
                                                Item& item) {
  auto fp = pan_fingerprint(services_, item.card->pan);
  if (!fp) return std::unexpected(fp.error());
  item.fp = *fp;
  item.fp_version = services_.keys.get(KeyPurpose::kPanIndex).version;
  if (!item.anonymous) {
    if (auto found = find_customer(reader, request, item); !found) return found;
  }
  if (item.chargeable) return {};
  if (look_first_ && item.customer.row != 0) {
    auto known = reader.card_of(item.customer.row, item.fp);
    if (!known) return std::unexpected(known.error());
    if (*known) {
      auto row = reader.card(**known);
      if (!row) return std::unexpected(row.error());
      if (*row && !ttl_ended(**row, services_.clock.now_ms())) {
        return renew_row(request, item, std::move(**row));
      }
    }
  }
  return make_row(request, item);
}

base::Result<void> TokenizeOperation::find_customer(Reader& reader, const TokenizeItem& request,
                                                    Item& item) {
  auto fp = name_fingerprint(services_, request.customer.expose());
  if (!fp) return std::unexpected(fp.error());
  if (const auto seen = customers_.find(*fp); seen != customers_.end()) {
    item.customer = seen->second;
    return {};
  }
  auto customer = find_or_make_customer(services_, reader, request.customer.expose(), *fp,
                                        look_first_ ? LookUp::kStore : LookUp::kCacheFirst);
  if (!customer) return std::unexpected(customer.error());
  item.customer = std::move(*customer);
  if (request_in_.request().items.size() > 1) customers_.emplace(*fp, item.customer);
  return {};
}

base::Result<void> TokenizeOperation::make_row(const TokenizeItem& request, Item& item) {
  std::array<std::uint8_t, Token::kRandomBytes> random{};
  if (auto ok = services_.crypto.random(random); !ok) return ok;
  const std::int64_t now = services_.clock.now_ms();
  const Pan& pan = item.card->pan;
  CardRow row;
  row.last4 = pan.last4();
  const Token token = Token::make(request.format, now, row.last4, random);
  row.id = token.id();
  row.number = token.number();
  row.customer_id = item.customer.id;
  row.fp = item.fp;
  row.fp_version = item.fp_version;
  row.bin = pan.bin_digits(settings_->bin_digits_stored);
  row.digits = static_cast<std::uint8_t>(pan.size());
  row.brand = item.card->brand;
  row.country = item.card->country;
  row.currency = item.card->currency;
  row.expiry = item.card->expiry;
  row.created_ms = now;
  row.expires_ms = request.ttl_s == 0 ? 0 : now + std::int64_t{request.ttl_s} * 1000;
  row.metadata = request.metadata;
  if (auto ok = seal_card(services_, pan, row); !ok) return ok;
  item.fresh = std::move(row);
  return {};
}

base::Result<void> TokenizeOperation::renew_row(const TokenizeItem& request, Item& item,
                                                CardRow row) {
  if (!request.expiry.empty() && row.expiry != item.card->expiry) {
    row.expiry = item.card->expiry;
    if (auto ok = seal_card(services_, item.card->pan, row); !ok) return ok;
  }
  item.renewed = std::move(row);
  return {};
}

}  // namespace cardvault::core
