#include "vault/core/otp_cancel.h"

#include "vault/core/record.h"
#include "vault/core/subject.h"
#include "vault/core/text_form.h"

namespace cardvault::core {

using base::Code;

void OtpCancelOperation::prepare(Reader& /*reader*/) {
  note_keys();
  failure_.reset();
  if (auto ready = make_ready(); !ready) failure_ = failure_of(ready.error());
}

base::Result<void> OtpCancelOperation::make_ready() {
  const OtpCancel& request = request_in_.request();
  purpose_known_ = services_.settings.load()->otp.purposes.contains(request.purpose);
  if (!purpose_known_) return base::fail(Code::kOtpPurposeUnknown, "otp.cancel");
  if (auto ok = check_subject(request.subject.expose()); !ok) return ok;
  auto name = name_fingerprints(services_, request.subject.expose());
  if (!name) return std::unexpected(name.error());
  name_ = std::move(*name);
  return {};
}

base::Result<void> OtpCancelOperation::void_code(Transaction& tx, Event& event) {
  const std::string& purpose = request_in_.request().purpose;
  auto customer = customer_by_name(tx, name_);
  if (!customer) return std::unexpected(customer.error());
  if (!*customer) return {};
  event.customer = to_hex((*customer)->id);
  auto code = tx.code((*customer)->row, purpose);
  if (!code) return std::unexpected(code.error());
  if (!*code) return {};
  event.resource = to_hex((*code)->id);
  return tx.delete_code((*customer)->row, purpose);
}

base::Result<void> OtpCancelOperation::apply(Transaction& tx, EventSink& events) {
  if (auto ok = keys_unchanged(); !ok) return ok;
  Event e = event(request_in_.principal(), "otp.cancel");
  if (purpose_known_) e.purpose = request_in_.request().purpose;
  if (!failure_) {
    if (auto done = void_code(tx, e); !done) {
      if (done.error().code != Code::kRecordDamaged) return done;
      failure_ = failure_of(done.error());
    }
  }
  if (failure_) e.outcome = base::code_name(failure_->code);
  events.add(e);
  return {};
}

Answer OtpCancelOperation::take_answer() {
  if (failure_) return *failure_;
  return Done{};
}

}  // namespace cardvault::core
