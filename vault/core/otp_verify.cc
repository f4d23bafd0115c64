#include "vault/core/otp_verify.h"

#include "vault/core/otp_code.h"
#include "vault/core/payment_context.h"
#include "vault/core/record.h"
#include "vault/core/subject.h"
#include "vault/core/text_form.h"

namespace cardvault::core {

using base::Code;
using base::fail;

namespace {

// Why a code was not the one: for the log alone. Empty: it was.
std::string_view wrong_because(const std::optional<CodeRow>& row, const Mac& mac,
                               std::int64_t now_ms) {
  const CodeRow none;
  const CodeRow& code = row ? *row : none;
  const bool same = equal_macs(code.mac, mac);  // whatever the rest says
  if (!row) return "no_code";
  if (code.state != CodeState::kOpen) return "used";
  if (code.expires_ms <= now_ms) return "expired";
  return same ? "" : "mismatch";
}

}  // namespace

Event OtpVerifyOperation::describe() const {
  Event e = event(principal(), "otp.verify");
  if (purpose_known_) e.purpose = request_in_.request().purpose;
  return e;
}

base::Result<void> OtpVerifyOperation::check() {
  const OtpVerify& request = request_in_.request();
  const auto purpose = settings_->otp.purposes.find(request.purpose);
  purpose_known_ = purpose != settings_->otp.purposes.end();
  if (!purpose_known_) return fail(Code::kOtpPurposeUnknown, "otp.verify");
  if (purpose->second.context && !request.context) {
    return fail(Code::kInvalidContext, "otp.context");
  }
  if (request.context) {
    if (auto ok = check_context(*request.context); !ok) return ok;
  }
  if (!code_form(request.code.expose())) return fail(Code::kInvalidField, "otp.code");
  return check_subject(request.subject.expose());
}

base::Result<void> OtpVerifyOperation::make_ready(Reader& reader) {
  const OtpVerify& request = request_in_.request();
  if (auto ok = check(); !ok) return ok;
  const auto name = name_fingerprints(services_, request.subject.expose());
  if (!name) return std::unexpected(name.error());
  // No cache: who was here lately would answer sooner.
  auto customer = find_customer(reader, *name);
  if (!customer) return std::unexpected(customer.error());
  customer_ = std::move(*customer);
  auto code = reader.code(GuardKey::of(customer_).subject, request.purpose);
  if (!code) return std::unexpected(code.error());
  code_id_ = *code ? (*code)->id : InternalId{};
  const std::uint32_t version =
      *code ? (*code)->key_version : services_.keys.get(KeyPurpose::kOtpMac).version;
  auto mac = code_mac(services_, version,
                      {code_id_, customer_.id, request.purpose, canonical_context(request.context)},
                      request.code.expose());
  if (!mac) return std::unexpected(mac.error());
  mac_ = *mac;
  return {};
}

base::Result<void> OtpVerifyOperation::decide(Transaction& tx, Event& event) {
  const std::string& purpose = request_in_.request().purpose;
  const std::int64_t now = services_.clock.now_ms();
  auto customer = current_customer(tx, customer_);
  if (!customer) return std::unexpected(customer.error());
  const GuardKey who = GuardKey::of(*customer);
  if (customer->row != 0) event.customer = to_hex(customer->id);
  auto code = tx.code(who.subject, purpose);
  if (!code) return std::unexpected(code.error());
  if (*code && (*code)->id != code_id_) return fail(Code::kConflict, "otp.verify");
  if (*code) event.resource = to_hex((*code)->id);
  auto guard = AttemptGuard::load(tx, who, otp_scope(purpose), settings_->attempts, now);
  if (!guard) return std::unexpected(guard.error());

  if (refused(*customer, *guard)) return {};
  if (const auto reason = wrong_because(*code, mac_, now); !reason.empty()) {
    return count_wrong(tx, *guard, event, reason);
  }
  (*code)->state = CodeState::kVerified;
  (*code)->expires_ms = now + std::int64_t{settings_->otp.spend_s} * 1000;
  event.key_version = (*code)->key_version;
  if (auto ok = tx.put_code(**code); !ok) return ok;
  return count_right(tx, *guard, now);
}

void OtpVerifyOperation::claim(Claims& claims) const {
  const OtpVerify& request = request_in_.request();
  claims.text("sub", request.subject.expose());
  claims.text("purpose", request.purpose);
  if (request.context) claims.context(*request.context);
  claims.text("code_id", to_hex(code_id_));
}

}  // namespace cardvault::core
