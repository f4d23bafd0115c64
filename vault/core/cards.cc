#include "vault/core/cards.h"

#include "vault/core/card_check.h"
#include "vault/core/index_fingerprints.h"
#include "vault/core/pan.h"
#include "vault/core/record.h"
#include "vault/core/text_form.h"

namespace cardvault::core {

using base::Code;
using base::fail;

base::Result<CardRow> find_card(Reader& reader, std::string_view text, std::int64_t now_ms) {
  auto token = Token::parse(text);
  if (!token) return std::unexpected(token.error());
  TokenId id = token->id();
  if (token->format() == TokenFormat::kNumeric) {
    auto found = reader.numeric(token->number());
    if (!found) return std::unexpected(found.error());
    if (!*found) return fail(Code::kTokenNotFound, "cards.find");
    id = **found;
  }
  auto row = reader.card(id);
  if (!row) return std::unexpected(row.error());
  if (!*row || (*row)->number != token->number() || ttl_ended(**row, now_ms)) {
    return fail(Code::kTokenNotFound, "cards.find");
  }
  return std::move(**row);
}

std::string named_token(std::string_view text) {
  const auto token = Token::parse(text);
  return token && !contains_pan(text) ? token->text() : "";
}

base::Result<CardRow> find_card_for(Services& services, std::string_view client, Reader& reader,
                                    std::string_view text) {
  auto token = Token::parse(text);
  if (!token) return std::unexpected(token.error());
  const bool numeric = token->format() == TokenFormat::kNumeric;
  const std::int64_t now = services.clock.now_ms();
  if (numeric) {
    const auto limit = services.settings.load()->numeric_misses_per_minute;
    if (const auto wait = services.misses.wait_s(client, limit, now); wait != 0) {
      return fail(Code::kRateLimited, "cards.misses", wait);
    }
  }
  auto row = find_card(reader, text, now);
  if (numeric && !row && row.error().code == Code::kTokenNotFound) {
    services.misses.missed(client, now);
  }
  return row;
}

namespace {

void describe(const CardRow& row, Event& event) {
  event.resource = Token::from_store(row.id, row.number).text();
  event.fingerprint = fingerprint_text(row.fp, row.fp_version);
  if (row.customer != 0) event.customer = to_hex(row.customer_id);
}

}  // namespace

// ---- cards.search ----

base::Result<void> SearchOperation::find(Reader& reader) {
  const CardsSearch& request = request_in_.request();
  const std::int64_t now = services_.clock.now_ms();
  if (auto ok = check_customer(request.customer.expose()); !ok) return ok;
  TokenId after;
  if (!request.after.empty()) {
    auto cursor = Token::parse(request.after);
    if (!cursor || cursor->format() != TokenFormat::kOpaque) {
      return fail(Code::kInvalidField, "cards.search.after");
    }
    after = cursor->id();
  }
  const auto name = name_fingerprints(services_, request.customer.expose());
  if (!name) return std::unexpected(name.error());
  auto customer = customer_by_name(reader, *name);
  if (!customer) return std::unexpected(customer.error());
  if (!*customer) return {};  // nobody's list is empty, as is a customer's without cards
  customer_ = to_hex((*customer)->id);
  auto rows = reader.cards((*customer)->row);
  if (!rows) return std::unexpected(rows.error());
  const CardRow* last = nullptr;
  for (const CardRow& row : *rows) {
    if (row.id <= after || ttl_ended(row, now)) continue;
    if (answer_.cards.size() == kSearchPage) {
      answer_.next = Token::from_store(last->id, 0).text();
      break;
    }
    answer_.cards.push_back(card_view(row, now));
    last = &row;
  }
  return {};
}

void SearchOperation::prepare(Reader& reader) {
  answer_ = {};
  failure_.reset();
  if (auto found = find(reader); !found) failure_ = failure_of(found.error());
}

base::Result<void> SearchOperation::apply(Transaction& /*tx*/, EventSink& events) {
  Event e = event(request_in_.principal(), "cards.search");
  e.customer = customer_;
  if (failure_) e.outcome = base::code_name(failure_->code);
  e.details.emplace_back("cards", std::to_string(answer_.cards.size()));
  events.add(e);
  return {};
}

Answer SearchOperation::take_answer() {
  if (failure_) return *failure_;
  return std::move(answer_);
}

// ---- token.get ----

void TokenGetOperation::prepare(Reader& reader) {
  row_ =
      find_card_for(services_, request_in_.principal().id(), reader, request_in_.request().token);
}

base::Result<void> TokenGetOperation::apply(Transaction& /*tx*/, EventSink& events) {
  Event e = event(request_in_.principal(), "token.get");
  if (*row_) {
    describe(**row_, e);
  } else {
    e.resource = named_token(request_in_.request().token);
    e.outcome = base::code_name(row_->error().code);
  }
  events.add(e);
  return {};
}

Answer TokenGetOperation::take_answer() {
  if (!*row_) return failure_of(row_->error());
  return card_view(**row_, services_.clock.now_ms());
}

// ---- changes ----

base::Result<void> expire_card(Transaction& tx, const CardRow& row, std::int64_t now_ms,
                               EventSink& events) {
  if (auto gone = tx.delete_card(row); !gone) return gone;
  Event event;
  event.time_ms = now_ms;
  event.actor = "system";
  event.operation = "token.expire";
  describe(row, event);
  events.add(event);
  return {};
}

std::string_view card_change_name(CardChange change) noexcept {
  switch (change) {
    case CardChange::kDelete:
      return "token.delete";
    case CardChange::kFreeze:
      return "token.freeze";
    case CardChange::kUnfreeze:
      return "token.unfreeze";
  }
  return "token";
}

base::Result<void> change_card(Transaction& tx, std::string_view token, CardChange change,
                               std::int64_t now_ms, Event& event) {
  event.resource = named_token(token);
  auto row = find_card(tx, token, now_ms);
  if (!row) return std::unexpected(row.error());
  describe(*row, event);
  if (change == CardChange::kDelete) return tx.delete_card(*row);
  row->frozen = change == CardChange::kFreeze;
  return tx.update_card(*row);
}

std::unique_ptr<CardChangeOperation> CardChangeOperation::make(
    Services& services, const Authorized<TokenDelete>& request) {
  return std::make_unique<CardChangeOperation>(services, request.principal(),
                                               request.request().token, CardChange::kDelete);
}

std::unique_ptr<CardChangeOperation> CardChangeOperation::make(
    Services& services, const Authorized<TokenFreeze>& request) {
  return std::make_unique<CardChangeOperation>(
      services, request.principal(), request.request().token,
      request.request().frozen ? CardChange::kFreeze : CardChange::kUnfreeze);
}

base::Result<void> CardChangeOperation::apply(Transaction& tx, EventSink& events) {
  failure_.reset();
  Event e = event(principal_, std::string(card_change_name(change_)));
  if (auto changed = change_card(tx, token_, change_, e.time_ms, e); !changed) {
    if (is_vault_failure(changed.error().code)) return changed;
    failure_ = failure_of(changed.error());
    e.outcome = base::code_name(failure_->code);
  }
  events.add(e);
  return {};
}

Answer CardChangeOperation::take_answer() {
  if (failure_) return *failure_;
  return Done{};
}

}  // namespace cardvault::core
