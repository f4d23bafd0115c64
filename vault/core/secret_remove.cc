#include "vault/core/secret_remove.h"

#include "vault/core/record.h"
#include "vault/core/subject.h"
#include "vault/core/text_form.h"

namespace cardvault::core {

using base::Code;

SecretRemoveOperation::SecretRemoveOperation(Services& services, Authorized<SecretRemove> request)
    : Operation(services), request_in_(std::move(request)) {}

void SecretRemoveOperation::prepare(Reader& reader) {
  note_keys();
  failure_.reset();
  confirmation_.reset();
  if (auto ready = make_ready(reader); !ready) failure_ = failure_of(ready.error());
}

base::Result<void> SecretRemoveOperation::make_ready(Reader& reader) {
  const SecretRemove& request = request_in_.request();
  if (auto ok = check_subject(request.subject.expose()); !ok) return ok;
  const auto name = name_fingerprints(services_, request.subject.expose());
  if (!name) return std::unexpected(name.error());
  auto customer = find_customer(reader, *name);
  if (!customer) return std::unexpected(customer.error());
  if (customer->row == 0) return base::fail(Code::kNotEnrolled, "secret.remove");
  customer_ = std::move(*customer);
  const std::string purpose = services_.settings.load()->secrets.change_code;
  if (purpose.empty()) return {};
  auto found = Confirmation::find(services_, reader, customer_.row, purpose, std::nullopt);
  if (!found) return std::unexpected(found.error());
  confirmation_ = std::move(*found);
  return {};
}

base::Result<void> SecretRemoveOperation::decide(Transaction& tx, Event& event) {
  const SecretKind kind = request_in_.request().kind;
  auto customer = current_customer(tx, customer_);
  if (!customer) return std::unexpected(customer.error());
  event.customer = to_hex(customer->id);
  if (confirmation_) {
    if (auto ok = confirmation_->unchanged(tx); !ok) return ok;
  }
  if (customer->frozen) return base::fail(Code::kCustomerFrozen, "secret.remove");
  auto row = tx.secret(customer->row, kind);
  if (!row) return std::unexpected(row.error());
  if (!*row) return base::fail(Code::kNotEnrolled, "secret.remove");
  if (confirmation_) {
    if (auto ok = confirmation_->spend(tx, services_.clock.now_ms()); !ok) return ok;
    event.resource = confirmation_->code_id();
  }
  return tx.delete_secret(customer->row, kind);
}

base::Result<void> SecretRemoveOperation::apply(Transaction& tx, EventSink& events) {
  if (auto ok = keys_unchanged(); !ok) return ok;
  Event e = event(request_in_.principal(), "secret.remove");
  e.details.emplace_back("kind", secret_kind_name(request_in_.request().kind));
  if (!failure_) {
    if (auto decided = decide(tx, e); !decided) {
      const base::Error error = decided.error();
      // What is no outcome fails the whole group.
      if (error.code != Code::kCustomerFrozen && error.code != Code::kNotEnrolled &&
          error.code != Code::kConfirmationRequired && error.code != Code::kRecordDamaged) {
        return decided;
      }
      failure_ = failure_of(error);
    }
  }
  if (failure_) e.outcome = base::code_name(failure_->code);
  events.add(e);
  return {};
}

Answer SecretRemoveOperation::take_answer() {
  if (failure_) return *failure_;
  return Done{};
}

}  // namespace cardvault::core
