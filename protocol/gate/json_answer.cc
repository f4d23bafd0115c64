#include "protocol/gate/json_answer.h"

#include "protocol/gate/problem.h"

namespace cardvault::gate {
namespace {

void optional_field(JsonWriter& out, std::string_view name, std::string_view value) {
  if (!value.empty()) out.field(name, value);
}

void time_field(JsonWriter& out, std::string_view name, std::int64_t unix_ms) {
  out.key(name);
  out.time(unix_ms);
}

void metadata_field(JsonWriter& out, const core::Metadata& metadata) {
  if (metadata.empty()) return;
  out.key("metadata");
  out.open('{');
  for (const auto& [key, value] : metadata) out.field(key, value);
  out.close('}');
}

void texts_field(JsonWriter& out, std::string_view name, const std::vector<std::string>& texts) {
  out.key(name);
  out.open('[');
  for (const std::string& text : texts) out.text(text);
  out.close(']');
}

std::string_view status_name(core::CardStatus status) noexcept {
  switch (status) {
    case core::CardStatus::kActive:
      return "active";
    case core::CardStatus::kFrozen:
      return "frozen";
    case core::CardStatus::kExpired:
      return "expired";
  }
  return "active";
}

void issuer_fields(JsonWriter& out, const core::CardView& card) {
  out.field("brand", card.brand);
  out.field("country", card.country);
  out.field("currency", card.currency);
  optional_field(out, "expiry", card.expiry);
}

void life_fields(JsonWriter& out, const core::CardView& card) {
  time_field(out, "created_at", card.created_ms);
  if (card.expires_ms != 0) time_field(out, "expires_at", card.expires_ms);
}

// One item of a batch: its result, or {"error":{…}}.
struct WriteItem {
  JsonWriter& out;
  void operator()(const core::CardView& card) const { write_tokenized(out, card); }
  void operator()(const core::Revealed& revealed) const { write_revealed(out, revealed); }
  void operator()(const core::Masked& masked) const { write_masked(out, masked); }
  void operator()(const core::SealedCard& card) const { write_sealed(out, card); }
  void operator()(const core::Failure& failure) const {
    out.open('{');
    out.key("error");
    write_problem(out, failure);
    out.close('}');
  }
};

template <class BatchAnswer>
void write_batch(JsonWriter& out, const BatchAnswer& answer) {
  out.open('{');
  out.key("items");
  out.open('[');
  for (const auto& item : answer.items) std::visit(WriteItem{out}, item);
  out.close(']');
  out.close('}');
}

}  // namespace

void write_problem(JsonWriter& out, const core::Failure& failure) {
  const Problem problem = problem_of(failure.code);
  const std::string_view code = base::code_name(failure.code);
  std::string type = "urn:cardvault:problem:";
  type += code;
  out.open('{');
  out.field("type", type);
  out.field("title", problem.title);
  out.key("status");
  out.number(problem.status);
  out.field("code", code);
  out.field("detail", problem.detail);
  if (failure.retry_after_s != 0) {
    out.key("retry_after");
    out.number(failure.retry_after_s);
  }
  if (failure.attempts_left >= 0) {
    out.key("attempts_left");
    out.number(static_cast<std::uint64_t>(failure.attempts_left));
  }
  if (failure.item >= 0) {
    out.key("item");
    out.number(static_cast<std::uint64_t>(failure.item));
  }
  out.close('}');
}

void write_tokenized(JsonWriter& out, const core::CardView& card) {
  out.open('{');
  out.field("token", card.token);
  out.field("last4", card.last4);
  issuer_fields(out, card);
  life_fields(out, card);
  out.key("duplicate");
  out.boolean(card.duplicate);
  metadata_field(out, card.metadata);
  out.close('}');
}

void write_card(JsonWriter& out, const core::CardView& card) {
  out.open('{');
  out.field("token", card.token);
  out.field("last4", card.last4);
  out.field("masked", card.masked);
  issuer_fields(out, card);
  out.field("status", status_name(card.status));
  life_fields(out, card);
  metadata_field(out, card.metadata);
  out.close('}');
}

void write_revealed(JsonWriter& out, const core::Revealed& revealed) {
  out.open('{');
  out.field("pan", revealed.pan.expose());
  optional_field(out, "expiry", revealed.expiry);
  out.close('}');
}

void write_masked(JsonWriter& out, const core::Masked& masked) {
  out.open('{');
  out.field("masked", masked.masked);
  optional_field(out, "expiry", masked.expiry);
  out.close('}');
}

void write_sealed(JsonWriter& out, const core::SealedCard& card) {
  out.open('{');
  out.field("sealed", card.sealed);
  out.close('}');
}

void write_items(JsonWriter& out, const core::TokenizeAnswer& answer) { write_batch(out, answer); }
void write_items(JsonWriter& out, const core::DetokenizeAnswer& answer) {
  write_batch(out, answer);
}

void write_search(JsonWriter& out, const core::SearchAnswer& answer) {
  out.open('{');
  out.key("cards");
  out.open('[');
  for (const core::CardView& card : answer.cards) write_card(out, card);
  out.close(']');
  optional_field(out, "next", answer.next);
  out.close('}');
}

void write_whoami(JsonWriter& out, const core::WhoamiAnswer& answer) {
  out.open('{');
  out.field("client", answer.client);
  texts_field(out, "permissions", answer.permissions);
  texts_field(out, "purposes", answer.purposes);
  out.key("quotas");
  out.open('[');
  for (const core::Quota& quota : answer.quotas) {
    out.open('{');
    out.field("name", quota.name);
    out.key("limit");
    out.number(quota.limit);
    out.key("left");
    out.number(quota.left);
    if (quota.resets_ms != 0) time_field(out, "resets_at", quota.resets_ms);
    out.close('}');
  }
  out.close(']');
  out.close('}');
}

void write_otp_sealed(JsonWriter& out, const core::OtpSealedAnswer& answer) {
  out.open('{');
  out.field("id", answer.id);
  if (answer.sealed.empty()) {
    out.field("code", answer.code.expose());
  } else {
    out.field("sealed", answer.sealed);
  }
  time_field(out, "expires_at", answer.expires_ms);
  out.key("resend_after");
  out.number(answer.resend_after_s);
  out.close('}');
}

void write_verified(JsonWriter& out, const core::VerifiedAnswer& answer) {
  out.open('{');
  out.key("verified");
  out.boolean(true);
  out.field("receipt", answer.receipt);
  out.close('}');
}

void write_ready(JsonWriter& out, const core::ReadyAnswer& answer) {
  out.open('{');
  out.key("ready");
  out.boolean(answer.ready);
  out.field("state", answer.state);
  texts_field(out, "notes", answer.notes);
  out.close('}');
}

}  // namespace cardvault::gate
