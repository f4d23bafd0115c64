#include "vault/core/otp_seal.h"

#include "vault/core/attempt_guard.h"
#include "vault/core/claims.h"
#include "vault/core/otp_code.h"
#include "vault/core/payment_context.h"
#include "vault/core/record.h"
#include "vault/core/text_form.h"

namespace cardvault::core {

using base::Code;
using base::fail;

OtpSealOperation::OtpSealOperation(Services& services, Authorized<OtpSeal> request)
    : Operation(services), request_in_(std::move(request)), idempotent_(services) {}

void OtpSealOperation::prepare(Reader& reader) {
  note_keys();
  settings_ = services_.settings.load();
  purpose_ = nullptr;
  recipient_.reset();
  well_formed_ = false;
  code_ = {};
  failure_.reset();
  replayed_.reset();
  if (auto ready = make_ready(reader); !ready) failure_ = failure_of(ready.error());
}

base::Result<void> OtpSealOperation::check() {
  const OtpSeal& request = request_in_.request();
  const auto purpose = settings_->otp.purposes.find(request.purpose);
  if (purpose == settings_->otp.purposes.end()) return fail(Code::kOtpPurposeUnknown, "otp.seal");
  purpose_ = &purpose->second;
  if (request.clear != request.recipient.empty()) return fail(Code::kInvalidField, "otp.recipient");
  if (request.clear && !request.idempotency_key.empty()) {
    return fail(Code::kInvalidIdempotencyKey, "otp.clear");  // an answer that must not be kept
  }
  if (purpose_->context && !request.context) return fail(Code::kInvalidContext, "otp.context");
  if (request.context) {
    if (auto ok = check_context(*request.context); !ok) return ok;
  }
  if (request.ttl_s > purpose_->max_ttl_s) return fail(Code::kInvalidTtl, "otp.ttl");
  if (request.digits != 0 && (request.digits < kMinCodeDigits || request.digits > kMaxCodeDigits)) {
    return fail(Code::kInvalidField, "otp.digits");
  }
  if (auto ok = check_subject(request.subject.expose()); !ok) return ok;
  well_formed_ = true;
  return request.clear ? base::Result<void>() : check_recipient();
}

base::Result<void> OtpSealOperation::check_recipient() {
  recipient_ = services_.recipients.find(request_in_.request().recipient);
  if (!recipient_) return fail(Code::kRecipientUnknown, "otp.recipient");
  if (!recipient_->may(RecipientUse::kOtp))
    return fail(Code::kRecipientNotAllowed, "otp.recipient");
  const std::int64_t now = services_.clock.now_ms();
  const RecipientCertificate& certificate = recipient_->current(now);
  if (now < certificate.not_before_ms || now >= certificate.not_after_ms) {
    return fail(Code::kRecipientExpired, "otp.recipient");
  }
  return {};
}

base::Result<void> OtpSealOperation::make_ready(Reader& reader) {
  const OtpSeal& request = request_in_.request();
  if (auto ok = check(); !ok) return ok;
  if (!request.idempotency_key.empty()) {
    auto first = idempotent_.look(reader, request_in_.principal().id(), request.idempotency_key,
                                  services_.codec.otp_seal_bytes(request));
    if (!first) return std::unexpected(first.error());
    replayed_ = std::move(*first);
    if (replayed_) return {};
  }
  auto name = name_fingerprints(services_, request.subject.expose());
  if (!name) return std::unexpected(name.error());
  auto customer = find_or_make_customer(services_, reader, request.subject.expose(), *name, look_);
  if (!customer) return std::unexpected(customer.error());
  customer_ = std::move(*customer);
  auto refused = refusal(reader, customer_);
  if (!refused) return std::unexpected(refused.error());
  failure_ = *refused;
  return failure_ ? base::Result<void>() : make(services_.clock.now_ms());
}

base::Result<void> OtpSealOperation::make(std::int64_t now_ms) {
  const OtpSeal& request = request_in_.request();
  const std::uint32_t ttl_s = request.ttl_s != 0 ? request.ttl_s : purpose_->ttl_s;
  if (auto ok = services_.crypto.random(code_.id); !ok) return ok;
  auto code = make_code(services_.crypto, request.digits != 0 ? request.digits : purpose_->digits);
  if (!code) return std::unexpected(code.error());
  code_.purpose = request.purpose;
  code_.key_version = services_.keys.get(KeyPurpose::kOtpMac).version;
  code_.created_ms = now_ms;
  code_.expires_ms = now_ms + std::int64_t{ttl_s} * 1000;
  const std::vector<std::uint8_t> context = canonical_context(request.context);
  auto mac = code_mac(services_, code_.key_version,
                      {code_.id, customer_.id, request.purpose, context}, code->expose());
  if (!mac) return std::unexpected(mac.error());
  code_.mac = *mac;
  mac = context_mac(services_, code_.key_version, code_.id, context);
  if (!mac) return std::unexpected(mac.error());
  code_.context_mac = *mac;

  OtpSealedAnswer answer;
  answer.id = to_hex(code_.id);
  answer.expires_ms = code_.expires_ms;
  answer.resend_after_s = settings_->otp.resend_s;
  if (request.clear) {
    answer.code = std::move(*code);
  } else {
    auto sealed = seal(*code);
    if (!sealed) return std::unexpected(sealed.error());
    answer.sealed = std::move(*sealed);
  }
  answer_ = std::move(answer);
  return {};
}

base::Result<std::string> OtpSealOperation::seal(const base::SecretText& code) {
  const OtpSeal& request = request_in_.request();
  auto claims = Claims::begin(services_, code_.created_ms, code_.expires_ms);
  if (!claims) return std::unexpected(claims.error());
  claims->text("aud", recipient_->name);
  claims->text("sub", request.subject.expose());
  claims->text("purpose", request.purpose);
  claims->text("code", code.expose());
  if (request.context) claims->context(*request.context);
  return services_.sealer.seal(*recipient_, "cardvault-otp+jwt", std::move(*claims).take(),
                               code_.created_ms);
}

base::Result<std::optional<Failure>> OtpSealOperation::refusal(Reader& reader,
                                                               const CustomerRow& customer) {
  if (customer.frozen) return Failure{Code::kCustomerFrozen, 0};
  const GuardKey who = GuardKey::of(customer);
  const std::string& purpose = request_in_.request().purpose;
  const std::int64_t now = services_.clock.now_ms();
  const auto guard = AttemptGuard::load(reader, who, otp_scope(purpose), settings_->attempts, now);
  if (!guard) return std::unexpected(guard.error());
  if (auto refused = guard->subject_refusal()) return refused;
  auto pacing = SendPacing::load(reader, who, purpose, settings_->otp, now);
  if (!pacing) return std::unexpected(pacing.error());
  pacing_ = std::move(*pacing);
  return pacing_->refusal();
}

// Reads first, then writes: until insert_customer() nothing is written.
base::Result<void> OtpSealOperation::issue(Transaction& tx) {
  if (auto ok = idempotent_.still_first(tx); !ok) return ok;
  auto customer = current_customer(tx, customer_);
  if (!customer) return std::unexpected(customer.error());
  auto refused = refusal(tx, *customer);
  if (!refused) return std::unexpected(refused.error());
  customer_.row = customer->row;
  if (*refused) {
    failure_ = *refused;
    return {};
  }
  if (customer_.row == 0) {
    auto row = insert_customer(tx, *customer);
    if (!row) return std::unexpected(row.error());
    customer_.row = *row;
  }
  code_.subject = customer_.row;
  if (auto ok = tx.put_code(code_); !ok) return ok;
  if (auto ok = pacing_->charge(tx, customer_.row); !ok) return ok;
  return idempotent_.keep(tx, answer_);
}

base::Result<void> OtpSealOperation::apply(Transaction& tx, EventSink& events) {
  if (auto ok = keys_unchanged(); !ok) return ok;
  if (!failure_ && !replayed_) {
    if (auto issued = issue(tx); !issued) {
      look_ = LookUp::kStore;
      // An error would fail the whole group: one damaged row stops nobody else.
      if (issued.error().code != Code::kRecordDamaged) return issued;
      failure_ = failure_of(issued.error());
    }
  }
  record(events);
  return {};
}

void OtpSealOperation::record(EventSink& events) {
  const OtpSeal& request = request_in_.request();
  Event e = event(request_in_.principal(), "otp.seal");
  if (failure_) e.outcome = base::code_name(failure_->code);
  if (purpose_ != nullptr) e.purpose = request.purpose;
  if (customer_.row != 0) e.customer = to_hex(customer_.id);
  if (recipient_) e.details.emplace_back("recipient", recipient_->name);
  if (request.clear) e.details.emplace_back("clear", "true");
  if (well_formed_ && request.context) {
    e.details.emplace_back("amount", std::to_string(request.context->amount));
    e.details.emplace_back("currency", request.context->currency);
  }
  const Answer& answer = replayed_ ? *replayed_ : answer_;
  if (const auto* sealed = std::get_if<OtpSealedAnswer>(&answer); sealed != nullptr && !failure_) {
    e.resource = sealed->id;
    e.key_version = code_.key_version;
  }
  if (replayed_) e.details.emplace_back("replay", "true");
  events.add(e);
}

void OtpSealOperation::committed() {
  if (customer_.row != 0) {
    services_.customers.put(customer_.name_fp, {customer_.row, customer_.id});
  }
}

Answer OtpSealOperation::take_answer() {
  idempotent_.release();
  if (failure_) return *failure_;
  return std::move(replayed_ ? *replayed_ : answer_);
}

}  // namespace cardvault::core
