#include "vault/core/audit_read.h"

namespace cardvault::core {

using base::Code;

void AuditReadOperation::prepare(Reader& /*reader*/) {
  now_ms_ = services_.clock.now_ms();
  piece_ = services_.read_log(request_in_.request());
  if (piece_ || piece_.error().code == Code::kNotFound) {
    covered_ = services_.readings.find(request_in_.principal(), now_ms_);
  }
}

base::Result<void> AuditReadOperation::apply(Transaction& /*tx*/, EventSink& events) {
  Event e = event(request_in_.principal(), "audit.read");
  // Only the name of a file that there is: any other one is free text.
  if (piece_) {
    e.resource = request_in_.request().path;
  } else {
    e.outcome = base::code_name(piece_.error().code);
  }
  events.add(e);
  return {};
}

void AuditReadOperation::covers(const Receipt& receipt) {
  if (piece_) services_.readings.begin(request_in_.principal(), now_ms_, receipt);
}

Answer AuditReadOperation::take_answer() {
  if (!piece_) return failure_of(piece_.error());
  return std::move(*piece_);
}

}  // namespace cardvault::core
