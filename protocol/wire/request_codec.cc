#include <algorithm>

#include "protocol/wire/bytes.h"
#include "protocol/wire/codec.h"
#include "protocol/wire/open_frame.h"

namespace cardvault::wire {
namespace {

using Out = Writer<base::SecretBuffer>;

constexpr std::size_t kMaxSans = 32;
constexpr std::size_t kMaxSanBytes = 260;
constexpr std::size_t kMaxText = 1024;  // but for what stands in a path

std::string_view short_text(Reader& in) { return in.text(kMaxText); }

void put(Out& out, const core::Caller& caller) {
  out.raw(caller.spki_sha256);
  out.count(caller.sans.size());
  for (const std::string& san : caller.sans) out.text(san);
  out.text(caller.source);
  out.text(caller.serial);
}

core::Caller get_caller(Reader& in) {
  core::Caller caller;
  const auto spki = in.raw(caller.spki_sha256.size());
  std::copy(spki.begin(), spki.end(), caller.spki_sha256.begin());
  caller.sans.resize(in.count(2, kMaxSans));
  for (std::string& san : caller.sans) san = in.text(kMaxSanBytes);
  caller.source = short_text(in);
  caller.serial = short_text(in);
  return caller;
}

void put(Out& out, const std::optional<core::PaymentContext>& context) {
  out.flag(context.has_value());
  if (!context) return;
  out.number(context->amount);
  out.text(context->currency);
  out.text(context->payee);
}

std::optional<core::PaymentContext> get_context(Reader& in) {
  if (!in.flag()) return std::nullopt;
  core::PaymentContext context;
  context.amount = in.number<std::uint64_t>();
  context.currency = short_text(in);
  context.payee = short_text(in);
  return context;
}

struct PutRequest {
  Out& out;

  void operator()(const core::Tokenize& r) const {
    out.flag(r.batch);
    out.text(r.idempotency_key);
    out.count(r.items.size());
    for (const core::TokenizeItem& item : r.items) {
      out.text(item.pan.expose());
      out.text(item.expiry);
      out.text(item.customer.expose());
      out.u8(static_cast<std::uint8_t>(item.format));
      out.number(item.ttl_s);
      out.count(item.metadata.size());
      for (const auto& [key, value] : item.metadata) {
        out.text(key);
        out.text(value);
      }
    }
  }
  void operator()(const core::Detokenize& r) const {
    out.flag(r.batch);
    out.count(r.items.size());
    for (const core::DetokenizeItem& item : r.items) {
      out.text(item.token);
      out.text(item.purpose);
      out.flag(item.mask);
      out.text(item.recipient);
      put(out, item.context);
    }
  }
  void operator()(const core::CardsSearch& r) const {
    out.text(r.customer.expose());
    out.text(r.after);
  }
  void operator()(const core::TokenGet& r) const { out.text(r.token); }
  void operator()(const core::TokenDelete& r) const { out.text(r.token); }
  void operator()(const core::TokenFreeze& r) const {
    out.text(r.token);
    out.flag(r.frozen);
  }
  void operator()(const core::Whoami&) const {}
  void operator()(const core::MetricsRead&) const {}
  void operator()(const core::ReadyCheck&) const {}
  void operator()(const core::Refused& r) const {
    out.u8(static_cast<std::uint8_t>(r.code));
    out.text(r.operation);
    out.i32(r.item);
  }
  void operator()(const core::Flood& r) const {
    out.text(r.source);
    out.text(r.reason);
    out.number(r.count);
  }
  void operator()(const core::OtpSeal& r) const {
    out.text(r.subject.expose());
    out.text(r.purpose);
    put(out, r.context);
    out.text(r.recipient);
    out.flag(r.clear);
    out.number(r.ttl_s);
    out.u8(r.digits);
    out.text(r.idempotency_key);
  }
  void operator()(const core::OtpVerify& r) const {
    out.text(r.subject.expose());
    out.text(r.purpose);
    put(out, r.context);
    out.text(r.code.expose());
  }
  void operator()(const core::OtpCancel& r) const {
    out.text(r.subject.expose());
    out.text(r.purpose);
  }
  void subject(const base::SecretText& subject, core::SecretKind kind) const {
    out.text(subject.expose());
    out.u8(static_cast<std::uint8_t>(kind));
  }
  template <class WithSecret>
  void with_secret(const WithSecret& r) const {
    subject(r.subject, r.kind);
    out.text(r.secret.expose());
  }
  void operator()(const core::SecretEnroll& r) const { with_secret(r); }
  void operator()(const core::SecretVerify& r) const { with_secret(r); }
  void operator()(const core::SecretChange& r) const { with_secret(r); }
  void operator()(const core::SecretRemove& r) const { subject(r.subject, r.kind); }
  void operator()(const core::JwksRead&) const {}
  void operator()(const core::AuditRead& r) const {
    out.text(r.path);
    out.number(r.offset);
  }
};

core::Tokenize get_tokenize(Reader& in) {
  core::Tokenize r;
  r.batch = in.flag();
  r.idempotency_key = short_text(in);
  r.items.resize(in.count(13, core::kMaxBatch));
  for (core::TokenizeItem& item : r.items) {
    item.pan = base::SecretText(short_text(in));
    item.expiry = short_text(in);
    item.customer = base::SecretText(short_text(in));
    item.format = static_cast<core::TokenFormat>(in.u8_below(2));
    item.ttl_s = in.number<std::uint32_t>();
    item.metadata.resize(in.count(4, core::kMaxMetadataEntries + 1));
    for (auto& [key, value] : item.metadata) {
      key = short_text(in);
      value = short_text(in);
    }
  }
  if (r.batch ? r.items.empty() : r.items.size() != 1) in.spoil();
  return r;
}

core::Detokenize get_detokenize(Reader& in) {
  core::Detokenize r;
  r.batch = in.flag();
  r.items.resize(in.count(8, core::kMaxBatch));
  std::size_t sealed = 0;
  for (core::DetokenizeItem& item : r.items) {
    item.token = short_text(in);
    item.purpose = short_text(in);
    item.mask = in.flag();
    item.recipient = short_text(in);
    item.context = get_context(in);
    if (item.recipient.empty() ? item.context.has_value() : item.mask) in.spoil();
    if (!item.recipient.empty()) ++sealed;
  }
  if (sealed > kMaxSealedBatch) in.spoil();
  if (r.batch ? r.items.empty() : r.items.size() != 1) in.spoil();
  return r;
}

core::CardsSearch get_search(Reader& in) {
  core::CardsSearch r;
  r.customer = base::SecretText(short_text(in));
  r.after = short_text(in);
  return r;
}

core::TokenFreeze get_freeze(Reader& in) {
  core::TokenFreeze r;
  r.token = in.text();
  r.frozen = in.flag();
  return r;
}

core::Refused get_refused(Reader& in) {
  core::Refused r;
  r.code = static_cast<base::Code>(in.u8_below(static_cast<unsigned>(base::kLastCode) + 1));
  r.operation = short_text(in);
  r.item = in.i32_or_none(core::kMaxBatch);
  return r;
}

core::Flood get_flood(Reader& in) {
  core::Flood r;
  r.source = short_text(in);
  r.reason = short_text(in);
  r.count = in.number<std::uint64_t>();
  return r;
}

core::OtpSeal get_otp_seal(Reader& in) {
  core::OtpSeal r;
  r.subject = base::SecretText(short_text(in));
  r.purpose = short_text(in);
  r.context = get_context(in);
  r.recipient = short_text(in);
  r.clear = in.flag();
  r.ttl_s = in.number<std::uint32_t>();
  r.digits = in.u8();
  r.idempotency_key = short_text(in);
  if (r.clear != r.recipient.empty()) in.spoil();  // exactly one of them
  return r;
}

core::OtpVerify get_otp_verify(Reader& in) {
  core::OtpVerify r;
  r.subject = base::SecretText(short_text(in));
  r.purpose = short_text(in);
  r.context = get_context(in);
  r.code = base::SecretText(short_text(in));
  return r;
}

core::OtpCancel get_otp_cancel(Reader& in) {
  core::OtpCancel r;
  r.subject = base::SecretText(short_text(in));
  r.purpose = short_text(in);
  return r;
}

template <class SecretRequest>
SecretRequest get_subject(Reader& in) {
  SecretRequest r;
  r.subject = base::SecretText(short_text(in));
  r.kind = static_cast<core::SecretKind>(in.u8_below(2));
  return r;
}

template <class WithSecret>
WithSecret get_with_secret(Reader& in) {
  auto r = get_subject<WithSecret>(in);
  r.secret = base::SecretText(short_text(in));
  return r;
}

core::AuditRead get_audit_read(Reader& in) {
  core::AuditRead r;
  r.path = in.text();
  r.offset = in.number<std::uint64_t>();
  return r;
}

// In the order of core::Request, whose index is the tag.
core::Request get_request(Reader& in) {
  switch (in.u8_below(std::variant_size_v<core::Request>)) {
    case 0:
      return get_tokenize(in);
    case 1:
      return get_detokenize(in);
    case 2:
      return get_search(in);
    case 3:
      return core::TokenGet{std::string(in.text())};
    case 4:
      return core::TokenDelete{std::string(in.text())};
    case 5:
      return get_freeze(in);
    case 6:
      return core::Whoami{};
    case 7:
      return core::MetricsRead{};
    case 8:
      return core::ReadyCheck{};
    case 9:
      return get_refused(in);
    case 10:
      return get_flood(in);
    case 11:
      return get_otp_seal(in);
    case 12:
      return get_otp_verify(in);
    case 13:
      return get_otp_cancel(in);
    case 14:
      return get_with_secret<core::SecretEnroll>(in);
    case 15:
      return get_with_secret<core::SecretVerify>(in);
    case 16:
      return get_with_secret<core::SecretChange>(in);
    case 17:
      return get_subject<core::SecretRemove>(in);
    case 18:
      return core::JwksRead{};
    default:
      return get_audit_read(in);
  }
}
static_assert(std::is_same_v<std::variant_alternative_t<10, core::Request>, core::Flood> &&
              std::is_same_v<std::variant_alternative_t<14, core::Request>, core::SecretEnroll> &&
              std::is_same_v<std::variant_alternative_t<19, core::Request>, core::AuditRead> &&
              std::variant_size_v<core::Request> == 20);

}  // namespace

bool encode(base::SecretBuffer& out, std::uint64_t id, const core::Caller& caller,
            const core::Request& request) {
  OpenFrame frame(out, FrameType::kRequest, id);
  Out payload = frame.payload();
  put(payload, caller);
  payload.u8(static_cast<std::uint8_t>(request.index()));
  std::visit(PutRequest{payload}, request);
  return frame.close();
}

base::Result<GateRequest> decode_request(std::span<const std::uint8_t> payload) {
  Reader in(payload);
  GateRequest result{get_caller(in), get_request(in), payload.size()};
  if (!in.complete()) return base::fail(base::Code::kInvalidArgument, "decode request");
  return result;
}

}  // namespace cardvault::wire
