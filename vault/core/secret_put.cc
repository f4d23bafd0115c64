#include "vault/core/secret_put.h"

#include <type_traits>

#include "vault/core/password_policy.h"
#include "vault/core/record.h"
#include "vault/core/secret_record.h"
#include "vault/core/subject.h"
#include "vault/core/text_form.h"

namespace cardvault::core {

using base::Code;

namespace {

template <class Request>
constexpr bool kEnrolls = std::is_same_v<Request, SecretEnroll>;

template <class Request>
const std::string& code_purpose(const SecretSettings& settings) {
  return kEnrolls<Request> ? settings.enroll_code : settings.change_code;
}

}  // namespace

template <class Request>
SecretPutOperation<Request>::SecretPutOperation(Services& services, Authorized<Request> request)
    : Operation(services), request_in_(std::move(request)) {}

template <class Request>
void SecretPutOperation<Request>::prepare(Reader& reader) {
  note_keys();
  settings_ = services_.settings.load();
  failure_.reset();
  confirmation_.reset();
  if (auto ready = make_ready(reader); !ready) failure_ = failure_of(ready.error());
}

template <class Request>
base::Result<CustomerRow> SecretPutOperation<Request>::find_subject(Reader& reader,
                                                                    const IndexFingerprints& name) {
  if constexpr (kEnrolls<Request>) {
    return find_or_make_customer(services_, reader, request_in_.request().subject.expose(), name,
                                 LookUp::kStore);
  }
  return find_customer(reader, name);
}

template <class Request>
base::Result<std::optional<Failure>> SecretPutOperation<Request>::refusal(
    Reader& reader, const CustomerRow& customer) {
  if (customer.frozen) return Failure{Code::kCustomerFrozen, 0};
  std::optional<SecretRow> old;
  if (customer.row != 0) {
    auto row = reader.secret(customer.row, request_in_.request().kind);
    if (!row) return std::unexpected(row.error());
    old = std::move(*row);
  }
  if (kEnrolls<Request> && old) return Failure{Code::kAlreadyEnrolled, 0};
  if (!kEnrolls<Request> && !old) return Failure{Code::kNotEnrolled, 0};
  created_ms_ = old ? old->created_ms : services_.clock.now_ms();
  return std::nullopt;
}

template <class Request>
base::Result<void> SecretPutOperation<Request>::make_ready(Reader& reader) {
  const Request& request = request_in_.request();
  const std::string_view subject = request.subject.expose();
  if (auto ok = check_subject(subject); !ok) return ok;
  if (auto ok =
          check_new_secret(request.kind, request.secret.expose(), subject, settings_->secrets);
      !ok) {
    return ok;
  }
  const auto name = name_fingerprints(services_, subject);
  if (!name) return std::unexpected(name.error());
  auto customer = find_subject(reader, *name);
  if (!customer) return std::unexpected(customer.error());
  customer_ = std::move(*customer);
  auto refused = refusal(reader, customer_);
  if (!refused) return std::unexpected(refused.error());
  failure_ = *refused;
  if (failure_) return {};
  if (const std::string& purpose = code_purpose<Request>(settings_->secrets); !purpose.empty()) {
    auto found = Confirmation::find(services_, reader, customer_.row, purpose, std::nullopt);
    if (!found) return std::unexpected(found.error());
    confirmation_ = std::move(*found);
    if (!confirmation_->fits(services_.clock.now_ms())) {
      return base::fail(Code::kConfirmationRequired, "secret.confirmation");
    }
  }
  auto row = make_secret(services_, settings_->secrets, request.kind, customer_.id,
                         request.secret.expose());
  if (!row) return std::unexpected(row.error());
  row_ = std::move(*row);
  return {};
}

// Reads first, then writes: a conflict or a damaged row leaves nothing behind.
template <class Request>
base::Result<void> SecretPutOperation<Request>::decide(Transaction& tx, Event& event) {
  const std::int64_t now = services_.clock.now_ms();
  auto customer = current_customer(tx, customer_);
  if (!customer) return std::unexpected(customer.error());
  if (confirmation_) {
    if (auto ok = confirmation_->unchanged(tx); !ok) return ok;
  }
  auto refused = refusal(tx, *customer);
  if (!refused) return std::unexpected(refused.error());
  if (customer->row != 0) event.customer = to_hex(customer->id);
  failure_ = *refused;
  if (failure_) return {};
  if (confirmation_) {
    event.resource = confirmation_->code_id();
    if (auto ok = confirmation_->spend(tx, now); !ok) return ok;
  }
  row_.subject = customer->row;
  if (customer->row == 0) {
    auto made = insert_customer(tx, *customer);
    if (!made) return std::unexpected(made.error());
    row_.subject = *made;
    event.customer = to_hex(customer->id);
  }
  row_.created_ms = created_ms_;
  row_.changed_ms = now;
  event.key_version = row_.key_version;
  return tx.put_secret(row_);
}

template <class Request>
base::Result<void> SecretPutOperation<Request>::apply(Transaction& tx, EventSink& events) {
  if (auto ok = keys_unchanged(); !ok) return ok;
  Event e = event(request_in_.principal(), kEnrolls<Request> ? "secret.enroll" : "secret.change");
  e.details.emplace_back("kind", secret_kind_name(request_in_.request().kind));
  if (!failure_) {
    if (auto decided = decide(tx, e); !decided) {
      // An error would fail the whole group: one damaged row stops nobody else.
      const Code code = decided.error().code;
      if (code != Code::kRecordDamaged && code != Code::kConfirmationRequired) return decided;
      failure_ = failure_of(decided.error());
    }
  }
  if (failure_) e.outcome = base::code_name(failure_->code);
  events.add(e);
  return {};
}

template <class Request>
Answer SecretPutOperation<Request>::take_answer() {
  if (failure_) return *failure_;
  return Done{};
}

template class SecretPutOperation<SecretEnroll>;
template class SecretPutOperation<SecretChange>;

}  // namespace cardvault::core
