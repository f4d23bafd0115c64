#include "protocol/wire/bytes.h"
#include "protocol/wire/codec.h"
#include "protocol/wire/open_frame.h"

namespace cardvault::wire {
namespace {

template <class Bytes>
struct PutAnswer {
  Writer<Bytes>& out;

  void put(const std::vector<std::string>& texts) const {
    out.count(texts.size());
    for (const std::string& text : texts) out.text(text);
  }

  void operator()(const core::Failure& a) const {
    out.u8(static_cast<std::uint8_t>(a.code));
    out.number(a.retry_after_s);
    out.i32(a.attempts_left);
  }
  void operator()(const core::CardView& a) const {
    for (const auto* text :
         {&a.token, &a.masked, &a.last4, &a.brand, &a.country, &a.currency, &a.expiry}) {
      out.text(*text);
    }
    out.i64(a.created_ms);
    out.i64(a.expires_ms);
    out.u8(static_cast<std::uint8_t>(a.status));
    out.flag(a.duplicate);
    out.count(a.metadata.size());
    for (const auto& [key, value] : a.metadata) {
      out.text(key);
      out.text(value);
    }
  }
  void operator()(const core::Revealed& a) const {
    out.text(a.pan.expose());
    out.text(a.expiry);
  }
  void operator()(const core::Masked& a) const {
    out.text(a.masked);
    out.text(a.expiry);
  }
  template <class Outcome>
  void items(bool batch, const std::vector<Outcome>& outcomes) const {
    out.flag(batch);
    out.count(outcomes.size());
    for (const Outcome& outcome : outcomes) {
      out.u8(static_cast<std::uint8_t>(outcome.index()));
      std::visit(*this, outcome);
    }
  }
  void operator()(const core::TokenizeAnswer& a) const { items(a.batch, a.items); }
  void operator()(const core::DetokenizeAnswer& a) const { items(a.batch, a.items); }
  void operator()(const core::SearchAnswer& a) const {
    out.count(a.cards.size());
    for (const core::CardView& card : a.cards) (*this)(card);
    out.text(a.next);
  }
  void operator()(const core::Done&) const {}
  void operator()(const core::WhoamiAnswer& a) const {
    out.text(a.client);
    put(a.permissions);
    put(a.purposes);
    out.count(a.quotas.size());
    for (const core::Quota& quota : a.quotas) {
      out.text(quota.name);
      out.number(quota.limit);
      out.number(quota.left);
      out.i64(quota.resets_ms);
    }
  }
  void operator()(const core::MetricsAnswer& a) const { out.long_text(a.text); }
  void operator()(const core::ReadyAnswer& a) const {
    out.flag(a.ready);
    out.text(a.state);
    put(a.notes);
  }
  void operator()(const core::SealedCard& a) const { out.text(a.sealed); }
  void operator()(const core::OtpSealedAnswer& a) const {
    out.text(a.id);
    out.text(a.sealed);
    out.text(a.code.expose());
    out.i64(a.expires_ms);
    out.number(a.resend_after_s);
  }
  void operator()(const core::VerifiedAnswer& a) const { out.text(a.receipt); }
  void operator()(const core::JwksAnswer& a) const { out.long_text(a.json); }
  void operator()(const core::AuditPiece& a) const {
    out.number(a.size);
    out.long_text(a.bytes);
  }
};

template <class Bytes>
void put_answer(Writer<Bytes> out, const core::Answer& answer) {
  out.u8(static_cast<std::uint8_t>(answer.index()));
  std::visit(PutAnswer<Bytes>{out}, answer);
  if (const auto* refused = std::get_if<core::Failure>(&answer)) out.i32(refused->item);
}

core::Failure get_failure(Reader& in) {
  core::Failure a;
  a.code = static_cast<base::Code>(in.u8_below(static_cast<unsigned>(base::kLastCode) + 1));
  a.retry_after_s = in.number<std::uint32_t>();
  a.attempts_left = in.i32_or_none(std::int64_t{1} << 31);
  return a;
}

// Of a whole request, which may be a batch.
core::Failure get_refusal(Reader& in) {
  core::Failure a = get_failure(in);
  a.item = in.i32_or_none(core::kMaxBatch);
  return a;
}

constexpr std::size_t kLeastCard = 7 * 2 + 2 * 8 + 2 + 2;

core::CardView get_card(Reader& in) {
  core::CardView a;
  for (auto* text : {&a.token, &a.masked, &a.last4, &a.brand, &a.country, &a.currency, &a.expiry}) {
    *text = in.text();
  }
  a.created_ms = in.i64();
  a.expires_ms = in.i64();
  a.status = static_cast<core::CardStatus>(in.u8_below(3));
  a.duplicate = in.flag();
  a.metadata.resize(in.count(4));
  for (auto& [key, value] : a.metadata) {
    key = in.text();
    value = in.text();
  }
  return a;
}

core::TokenizeOutcome get_tokenized(Reader& in) {
  if (in.u8_below(2) == 0) return get_card(in);
  return get_failure(in);
}

core::DetokenizeOutcome get_detokenized(Reader& in) {
  const std::uint8_t kind = in.u8_below(4);
  if (kind == 3) return core::SealedCard{std::string(in.text())};
  if (kind == 2) return get_failure(in);
  if (kind == 1) {
    core::Masked masked;
    masked.masked = in.text();
    masked.expiry = in.text();
    return masked;
  }
  core::Revealed revealed;
  revealed.pan = base::SecretText(in.text());
  revealed.expiry = in.text();
  return revealed;
}

template <class Batch, class GetItem>
core::Answer get_items(Reader& in, GetItem get_item) {
  Batch a;
  a.batch = in.flag();
  a.items.resize(in.count(3, core::kMaxBatch));
  for (auto& item : a.items) item = get_item(in);
  if (a.batch ? a.items.empty() : a.items.size() != 1) in.spoil();
  return a;
}

core::Answer get_search(Reader& in) {
  core::SearchAnswer a;
  a.cards.resize(in.count(kLeastCard));
  for (core::CardView& card : a.cards) card = get_card(in);
  a.next = in.text();
  return a;
}

std::vector<std::string> get_texts(Reader& in) {
  std::vector<std::string> texts(in.count(2));
  for (std::string& text : texts) text = in.text();
  return texts;
}

core::Answer get_whoami(Reader& in) {
  core::WhoamiAnswer a;
  a.client = in.text();
  a.permissions = get_texts(in);
  a.purposes = get_texts(in);
  a.quotas.resize(in.count(2 + 3 * 8));
  for (core::Quota& quota : a.quotas) {
    quota.name = in.text();
    quota.limit = in.number<std::uint64_t>();
    quota.left = in.number<std::uint64_t>();
    quota.resets_ms = in.i64();
  }
  return a;
}

core::Answer get_ready(Reader& in) {
  core::ReadyAnswer a;
  a.ready = in.flag();
  a.state = in.text();
  a.notes = get_texts(in);
  return a;
}

core::Answer get_otp_sealed(Reader& in) {
  core::OtpSealedAnswer a;
  a.id = in.text();
  a.sealed = in.text();
  a.code = base::SecretText(in.text());
  a.expires_ms = in.i64();
  a.resend_after_s = in.number<std::uint32_t>();
  return a;
}

core::Answer get_audit_piece(Reader& in) {
  core::AuditPiece a;
  a.size = in.number<std::uint64_t>();
  a.bytes = in.long_text();
  if (a.bytes.size() > core::kMaxAuditPiece || a.bytes.size() > a.size) in.spoil();
  return a;
}

// In the order of core::Answer, whose index is the tag.
core::Answer get_answer(Reader& in) {
  switch (in.u8_below(std::variant_size_v<core::Answer>)) {
    case 0:
      return get_refusal(in);
    case 1:
      return get_items<core::TokenizeAnswer>(in, get_tokenized);
    case 2:
      return get_items<core::DetokenizeAnswer>(in, get_detokenized);
    case 3:
      return get_search(in);
    case 4:
      return get_card(in);
    case 5:
      return core::Done{};
    case 6:
      return get_whoami(in);
    case 7:
      return core::MetricsAnswer{std::string(in.long_text())};
    case 8:
      return get_ready(in);
    case 9:
      return get_otp_sealed(in);
    case 10:
      return core::VerifiedAnswer{std::string(in.text())};
    case 11:
      return core::JwksAnswer{std::string(in.long_text())};
    default:
      return get_audit_piece(in);
  }
}
static_assert(std::is_same_v<std::variant_alternative_t<8, core::Answer>, core::ReadyAnswer> &&
              std::is_same_v<std::variant_alternative_t<12, core::Answer>, core::AuditPiece> &&
              std::variant_size_v<core::Answer> == 13);

}  // namespace

void encode(base::SecretBuffer& out, std::uint64_t id, const core::Answer& answer) {
  OpenFrame frame(out, FrameType::kAnswer, id);
  put_answer(frame.payload(), answer);
  if (frame.close()) return;
  encode(out, id, core::Answer(core::Failure{base::Code::kInternal, 0}));
}

base::Result<core::Answer> decode_answer(std::span<const std::uint8_t> payload) {
  Reader in(payload);
  core::Answer answer = get_answer(in);
  if (!in.complete()) return base::fail(base::Code::kInvalidArgument, "decode answer");
  return answer;
}

std::vector<std::uint8_t> answer_bytes(const core::Answer& answer) {
  std::vector<std::uint8_t> bytes;
  put_answer(Writer(bytes), answer);
  return bytes;
}

}  // namespace cardvault::wire
